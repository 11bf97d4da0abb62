"""Code and packages of a recorded run are made again: worktrees at the commit with its changes, and a list for pip."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tlx.config.errors import ConfigError
from tlx.provenance import checkout
from tlx.runs import code


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def record(folder: Path) -> dict[str, object]:
    """Of a project with a change that is not committed, and a file that is not in git."""
    git(folder, "init", "-q")
    (folder / "model.py").write_text("first = 1\n")
    git(folder, "add", "model.py")
    git(folder, "commit", "-qm", "first")
    (folder / "model.py").write_text("first = 2\n")
    (folder / "notes.py").write_text("x = 1\n")
    state = code._state(folder)
    git(folder, "commit", "-qam", "second")
    return {"code": {"project": state, "tlx": {"version": "0.1.0"}}, "packages": {"tlx": "0.1.0", "numpy": "2.0.0"}}


def test_it_is_made_again(folder: Path, record: dict[str, object]) -> None:
    commands: list[Sequence[str]] = []
    said: list[str] = []

    def run(command: Sequence[str], where: Path) -> None:
        commands.append(command)
        if command[0] == "git":
            checkout.here(command, where)

    python = checkout.rebuild(record, folder / "then", said.append, run)
    assert python.exists()
    assert (folder / "then" / "project" / "model.py").read_text() == "first = 2\n"
    assert (folder / "then" / "requirements.txt").read_text() == "numpy==2.0.0\n"
    assert any("notes.py was not in git" in line for line in said)
    assert commands[-1][-1] == "tlx==0.1.0"
    assert "requirements.txt" in commands[-2]
    assert (folder / "model.py").read_text() == "first = 2\n"  # the working tree is as it was


def test_what_cannot_be_made_is_told(folder: Path, record: dict[str, dict[str, dict[str, str]]]) -> None:
    def run(command: Sequence[str], where: Path) -> None:
        subprocess.run(command, cwd=where, check=True, capture_output=True)

    (folder / "full").mkdir()
    (folder / "full" / "file").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        checkout.rebuild(record, folder / "full", print, run)
    with pytest.raises(ConfigError, match="no record of its code"):
        checkout.rebuild({}, folder / "a", print, run)
    record["code"]["project"]["commit"] = "0" * 40
    with pytest.raises(ConfigError, match="git has no commit 000000000000"):
        checkout.rebuild(record, folder / "b", print, run)
    record["code"]["project"]["commit"] = "--upload-pack=evil"
    with pytest.raises(ConfigError, match="no commit but"):
        checkout.rebuild(record, folder / "c", print, run)


def test_what_lies_here_is_not_taken_for_what_was_rebuilt(folder: Path) -> None:
    """The environment's own tlx answers, not a package of that name in the working directory."""
    (folder / "tlx").mkdir()
    (folder / "tlx" / "__init__.py").touch()
    (folder / "tlx" / "__main__.py").write_text("raise SystemExit(77)\n")
    assert checkout.reproduce(Path(sys.executable), ["nowhere"]) == 2  # no such run
