"""The command line of a person who errs: exit code 2, one block, nothing started, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tlx

VERBS = ["train", "sweep", "plan", "list", "report", "ui", "sync", "init"]
REPOSITORY = Path(__file__).parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """``tlx <words>`` in the working directory."""
    return subprocess.run([sys.executable, "-m", "tlx", *words], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("verb", [["train"], ["sweep"], ["plan"], ["train", "-m"]], ids=" ".join)
def test_five_mistakes_are_told_in_one_block_and_nothing_is_begun(folder: Path, verb: list[str]) -> None:
    done = run(*verb, "backbone=resnet81", "dataset=digits", "seed=x", "+junk=1", "strategy.keep=lst", "sead=1")
    assert done.returncode == 2
    assert done.stdout == ""
    head, *lines = done.stderr.splitlines()
    assert head == "tlx: 5 problems in this configuration"
    assert [line.split("  ")[1] for line in lines] == [
        "backbone = resnet81", "seed = x", "junk = 1", "sead = 1", "strategy.keep = lst",
    ]  # fmt: skip
    for hint in ("did you mean resnet18?", "expected a whole number", "did you mean seed?", "did you mean last?"):
        assert hint in done.stderr
    assert list(folder.iterdir()) == []


def test_a_sweep_tells_the_mistakes_of_all_its_trials_before_the_first(folder: Path) -> None:
    done = run("sweep", "backbone=narrow_resnet", "dataset=digits", "seed=0,x,y", "strategy.lr=0.1,-1")
    assert done.returncode == 2
    for subject in ("seed = x", "seed = y", "strategy.lr = -1"):
        assert done.stderr.count(subject) == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", ["backbone=resnet81,vit_tinny", "strategy.lr=[1]", "strategy.lr=${nope}"])
def test_a_mistake_is_never_a_traceback(folder: Path, words: str) -> None:
    done = run("train", "backbone=resnet18", "dataset=digits", words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("tlx: ")
    assert words.partition("=")[0] in done.stderr
    assert list(folder.iterdir()) == []


def test_a_study_is_not_one_trial(folder: Path) -> None:
    done = run("train", "experiment=quickstart")
    assert (done.returncode, done.stdout) == (2, "")
    assert "tlx sweep experiment=quickstart" in done.stderr
    assert list(folder.iterdir()) == []


def test_an_unknown_verb_is_told_the_nearest_and_all() -> None:
    done = run("trian")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean train?" in done.stderr.splitlines()[0]
    for verb in VERBS:
        assert f"\n  {verb} " in done.stderr


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)], ids=" ".join)
def test_help_names_every_verb(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(folder: Path, verb: str) -> None:
    done = run(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"tlx {verb}")
    assert len(done.stdout.splitlines()) >= 3
    assert list(folder.iterdir()) == []


def test_the_version() -> None:
    assert run("--version").stdout == f"tlx {tlx.__version__}\n"


def test_list_names_every_group_and_option() -> None:
    done = run("list")
    assert done.returncode == 0
    found = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    expected = {
        home.name: sorted(file.stem for file in home.glob("*.yaml"))
        for home in (REPOSITORY / "conf").iterdir()
        if home.is_dir() and home.name != "__pycache__"
    }
    expected["experiment"] = sorted(file.stem for file in (REPOSITORY / "experiments").glob("*.yaml"))
    assert found == expected


def test_list_of_a_group_says_what_each_option_is(folder: Path) -> None:
    mine = folder / "conf" / "strategy" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# What I do.\nname: mine\n")
    done = run("list", "strategy")
    found = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert found["mine"].strip() == "What I do."
    for file in (REPOSITORY / "conf" / "strategy").glob("*.yaml"):
        assert found[file.stem].strip() == file.read_text().splitlines()[0].removeprefix("# ")


@pytest.mark.parametrize(("group", "hint"), [("nope", "the groups are"), ("stategy", "did you mean strategy?")])
def test_list_of_no_group(group: str, hint: str) -> None:
    done = run("list", group)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"group = {group}" in done.stderr
    assert hint in done.stderr


def test_a_reader_that_goes_away_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "tlx", "list"], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_init_copies_an_experiment_and_what_it_starts_from(folder: Path) -> None:
    done = run("init")
    assert (done.returncode, done.stderr) == (0, "")
    copied = {file.name: file.read_bytes() for file in (folder / "experiments").iterdir()}
    assert copied == {
        name: (REPOSITORY / "experiments" / name).read_bytes() for name in ("quickstart.yaml", "letters.yaml")
    }
    assert tlx.compose(["experiment=quickstart"]).group == "quickstart"


@pytest.mark.parametrize("there", ["quickstart.yaml", "letters.yaml"])
def test_init_never_overwrites(folder: Path, there: str) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments" / there).write_text("mine")
    done = run("init", "quickstart")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"experiments/{there}" in done.stderr
    assert {file.name: file.read_text() for file in (folder / "experiments").iterdir()} == {there: "mine"}


def test_init_of_nothing_shipped(folder: Path) -> None:
    done = run("init", "leters")
    assert done.returncode == 2
    assert "did you mean letters?" in done.stderr
    assert list(folder.iterdir()) == []


CHEAP: list[tuple[int, list[str]]] = [
    (0, ["--help"]),
    (0, ["list"]),
    (0, ["list", "backbone"]),
    (2, ["list", "nope"]),
    (0, ["init"]),
    (2, ["train", "backbone=resnet81", "dataset=digits"]),
    (2, ["train", "experiment=quickstart"]),
    (2, ["plan", "backbone=resnet81", "dataset=digits"]),
    (2, ["plan", "-m", "backbone=resnet81", "dataset=digits", "seed=0,1"]),
    (2, ["sweep", "backbone=resnet81", "dataset=digits", "seed=0,1"]),
    (0, ["sweep", "--help"]),
]


def test_what_does_not_train_does_not_wait_for_torch() -> None:
    script = f"""
import sys
from tlx.cli import main
for _, words in {CHEAP}:
    code = main(words)
    heavy = {{"torch", "timm", "transformers", "pytorch_lightning", "mlflow"}} & set(sys.modules)
    print("done:", code, words, sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith("done:")]
    assert found == [f"done: {code} {words} []" for code, words in CHEAP]
