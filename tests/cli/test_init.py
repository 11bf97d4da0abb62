"""``tlx init``: copies of shipped experiments to start from, never over the user's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tlx

REPOSITORY = Path(__file__).parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """``tlx <words>`` in the working directory."""
    return subprocess.run([sys.executable, "-m", "tlx", *words], capture_output=True, text=True, timeout=120)


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
