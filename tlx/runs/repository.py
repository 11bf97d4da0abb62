"""Ask git about a repository without running anything that the repository itself brings.

A repository's own configuration can name programs (``core.fsmonitor``, hooks, filters, ``textconv``, transports of a
partial clone), and an unpacked project brings its configuration along. So git is shown a view of it: a folder of links
to its objects, references and index, with a configuration of ours and no hooks. What the user has set for all
repositories of theirs holds as ever.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlx.files import durable, foreign

_PATIENCE = 10  # seconds for git
_OF_THE_REPOSITORY = {"config", "config.worktree", "HEAD", "hooks", "commondir", "gitdir", "modules", "worktrees"}
_KEPT = (  # settings that decide what differs, and run nothing
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.symlinks",
    "extensions.objectformat",
    "extensions.refstorage",
)
_SAFE = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0"}


class Repository:
    """A repository as git sees it in the view."""

    def __init__(self, root: Path, view: Path) -> None:
        self.root = root
        self._view = view

    def ask(self, *words: str) -> str:
        """What git answers; empty where it has none, or takes too long."""
        return _git(self.root, words, {"GIT_DIR": str(self._view), "GIT_WORK_TREE": str(self.root)})


@contextmanager
def repository(folder: Path) -> Iterator[Repository | None]:
    """The repository around a folder; None outside one, or without git."""
    found = _git(folder, ("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")).splitlines()
    if len(found) != 3:
        yield None
        return
    root, own, common = (Path(folder, line) for line in found)
    if root.resolve() != _holder(folder):  # core.worktree: the repository would have us look at another folder
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tlx-git-") as place:
        view = Path(place)
        for source in (own, common):  # a linked worktree has an index and a HEAD of its own
            for entry in source.iterdir():
                if entry.name not in _OF_THE_REPOSITORY and not (view / entry.name).is_symlink():
                    (view / entry.name).symlink_to(entry.absolute())
        try:
            durable.write(view / "HEAD", foreign.read(own / "HEAD", 4096))
        except (FileNotFoundError, foreign.Unreadable):
            yield None
            return
        for name in _KEPT:
            value = _git(folder, ("config", "--no-includes", "--file", str(common / "config"), "--get", name)).strip()
            if value:
                _git(folder, ("config", "--file", str(view / "config"), name, value))
        _git(folder, ("config", "--file", str(view / "config"), "core.repositoryformatversion", "1"))
        yield Repository(root, view)


def _holder(folder: Path) -> Path | None:
    """The folder at or above this one that has the repository in it."""
    place = folder.resolve()
    return next((one for one in (place, *place.parents) if (one / ".git").exists()), None)


def _git(folder: Path, words: tuple[str, ...], more: dict[str, str] | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {name: os.environ[name] for name in ("GIT_CEILING_DIRECTORIES",) if name in os.environ}
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", *words],
            cwd=folder,
            env=environment | _SAFE | (more or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
