"""An unpacked project runs nothing by lying around: no module of the working directory, no setting of its git."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlx.runs import code

MODULES = ["random", "mlflow", "torch", "json", "sitecustomize", "yaml", "sklearn", "logging", "tlx_plugin"]


def trap(folder: Path) -> str:
    """A program that leaves a trace."""
    path = folder / "trap"
    path.write_text(f"#!/bin/sh\ntouch {folder / 'sprung'}\ncat\n")
    path.chmod(0o755)
    return str(path)


def git(folder: Path, *words: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit and a change."""
    monkeypatch.setattr(code, "_KNOWN", {})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    place = folder / "project"
    place.mkdir()
    monkeypatch.chdir(place)
    git(place, "init", "-q")
    (place / "mine.py").write_text("x = 1\n")
    (place / ".gitattributes").write_text("*.py filter=evil diff=evil merge=evil\n")
    git(place, "add", ".")
    git(place, "commit", "-qm", "first")
    (place / "mine.py").write_text("x = 2\n")
    return place


SETTINGS = [
    "core.fsmonitor", "diff.evil.textconv", "diff.evil.command", "diff.external", "filter.evil.clean",
    "filter.evil.smudge", "filter.evil.process", "core.sshCommand", "core.pager", "core.editor", "core.askPass",
    "credential.helper", "gpg.program", "core.alternateRefsCommand", "core.gitProxy", "uploadpack.packObjectsHook",
    "alias.diff", "alias.rev-parse", "merge.evil.driver", "interactive.diffFilter", "pager.diff",
]  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("where", ["config", "included", "worktree"])
def test_no_setting_of_a_repository_runs_a_program(project: Path, folder: Path, name: str, where: str) -> None:
    program = trap(folder)
    value = f"!{program}" if name.startswith(("alias.", "credential.")) else program
    if where == "config":
        git(project, "config", name, value)
    elif where == "included":
        (project / "more").write_text("")
        git(project, "config", "--file", "more", name, value)
        git(project, "config", "include.path", "../more")
    else:
        git(project, "config", "extensions.worktreeConfig", "true")
        git(project, "config", "--worktree", name, value)
    if name.endswith((".clean", ".smudge")):
        git(project, "config", "filter.evil.required", "true")
    (folder / "sprung").unlink(missing_ok=True)  # setting it up may have sprung it
    found = code.states()["project"]
    assert not (folder / "sprung").exists()
    assert "-x = 1\n+x = 2\n" in found["diff"]


def test_no_hook_and_no_submodule_of_a_repository_runs(project: Path, folder: Path) -> None:
    program = trap(folder)
    for hook in ("post-index-change", "fsmonitor-watchman", "pre-commit", "post-checkout", "reference-transaction"):
        (project / ".git" / "hooks" / hook).symlink_to(program)
    inner = project / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "a.py").write_text("y = 1\n")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "inner")
    git(inner, "config", "core.fsmonitor", program)
    git(project, "-c", "core.hooksPath=/dev/null", "-c", "advice.addEmbeddedRepo=false", "add", "inner")
    (inner / "a.py").write_text("y = 2\n")
    (folder / "sprung").unlink(missing_ok=True)
    assert code.states()["project"]["commit"]
    assert not (folder / "sprung").exists()


def test_a_partial_clone_fetches_nothing(project: Path, folder: Path) -> None:
    """Objects that are missing would be asked for from where the repository says, by a program that it names."""
    program = trap(folder)
    for name, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{program}",
        "protocol.ext.allow": "always",
    }.items():
        git(project, "config", name, value)
    for path in sorted((project / ".git" / "objects").glob("??/*")):
        kind = subprocess.run(
            ["git", "cat-file", "-t", path.parent.name + path.name], cwd=project, capture_output=True, text=True
        ).stdout
        if kind.strip() == "blob":
            path.unlink()
    (folder / "sprung").unlink(missing_ok=True)
    code.states()
    assert not (folder / "sprung").exists()


def test_a_linked_worktree_and_a_renamed_object_format_are_read(project: Path, folder: Path) -> None:
    git(project, "worktree", "add", "-q", str(folder / "linked"))
    (folder / "linked" / "mine.py").write_text("x = 3\n")
    os.chdir(folder / "linked")
    assert "-x = 1\n+x = 3\n" in code.states()["project"]["diff"]
    sha256 = folder / "sha256"
    sha256.mkdir()
    git(sha256, "init", "-q", "--object-format=sha256")
    (sha256 / "a.py").write_text("z = 1\n")
    git(sha256, "add", ".")
    git(sha256, "commit", "-qm", "first")
    os.chdir(sha256)
    assert len(code.states()["project"]["commit"]) == 64


@pytest.mark.long
def test_no_module_of_the_working_directory_is_imported(folder: Path) -> None:
    """A sweep starts a server and processes from it; ``random.py`` beside them is data."""
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'sprung')!r}, 'a').write('{name} ')\n")
    words = ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.budget=2 steps"]
    tlx = Path(sys.executable).with_name("tlx")
    command = [str(tlx), "sweep", *words, "seed=0,1", "tracking=none", "--jobs", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (folder / "sprung").exists(), (folder / "sprung").read_text()


def test_a_repository_does_not_choose_what_is_looked_at(project: Path, folder: Path) -> None:
    """``core.worktree`` would have another folder's files compared with a commit of the stranger's, and recorded."""
    (folder / "private.py").write_text("key = 'secret'\n")
    (project / "private.py").write_text("")
    git(project, "add", "private.py")
    git(project, "commit", "-qm", "bait")
    git(project, "config", "core.worktree", str(folder))
    assert code.states()["project"] == {}


def test_untracked_files_are_named_up_to_a_limit(project: Path) -> None:
    for number in range(1100):
        (project / f"new{number}.py").touch()
    with (project / "new0.py").open("wb") as stream:
        stream.truncate(1 << 30)
    found = code.states()["project"]["untracked"]
    assert len(found) == 1001
    assert found["..."] == "and 100 more"
    assert found["new0.py"] == ""
