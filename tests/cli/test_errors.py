"""The command line of a person who errs: exit code 2, one block, nothing started, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VERBS = ["train", "sweep", "plan", "list", "report", "ui", "sync", "init"]
REPOSITORY = Path(__file__).parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """``tlx <words>`` in the working directory."""
    return subprocess.run([sys.executable, "-m", "tlx", *words], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("verb", [["train"], ["sweep"], ["plan"]], ids=" ".join)
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
