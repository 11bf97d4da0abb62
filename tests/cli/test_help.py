"""``tlx --help`` and ``tlx list``: what can be asked for."""

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
