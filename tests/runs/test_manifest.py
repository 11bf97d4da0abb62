"""What is recorded of code and machine, against what git and the machine say themselves."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
from pathlib import Path

import pytest

from tlx.runs import code, environment


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project under git with one commit."""
    monkeypatch.setattr(code, "_KNOWN", {})
    (folder / "mine.py").write_text("x = 1\n")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder


def test_a_clean_project_is_its_commit(repository: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert code.states()["project"] == {"commit": head, "untracked": {}}


def test_what_differs_from_the_commit_is_kept(repository: Path) -> None:
    (repository / "mine.py").write_text("x = 2\n")
    (repository / "new.py").write_text("y = 3\n")
    (repository / "big.bin").write_bytes(bytes(1000))
    found = code.states()["project"]
    assert "-x = 1\n+x = 2\n" in found["diff"]
    assert found["untracked"] == {"new.py": hashlib.sha256(b"y = 3\n").hexdigest()[:32]}
    (repository / "mine.py").write_text("x = 1\n")
    (repository / "late.py").touch()
    assert code.states()["project"] == found  # what was there when it was imported is what ran


def test_outside_a_repository_nothing_is_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_KNOWN", {})
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert code.states()["project"] == {}


def test_packages_are_those_of_the_metadata() -> None:
    found = environment.packages()
    for name in ("torch", "timm", "pytorch-lightning", "mlflow"):
        assert found[name] == importlib.metadata.version(name)
