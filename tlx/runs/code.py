"""The state of the code a trial ran with: the user's project and tlx, each by commit and by what differs from it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from tlx.files import foreign
from tlx.runs.repository import repository
from tlx.version import VERSION

_LARGEST = 1 << 20  # characters of a diff that are kept; of a longer one there is the hash
_MOST, _HASHED = 1000, 16 << 20  # untracked files that are named; bytes of one that is hashed
_KNOWN: dict[str, dict[str, Any]] = {}  # by working directory


def states() -> dict[str, Any]:
    """``project``: the repository around the working directory; ``tlx``: its version, and the one it is run from.

    Asked once per process: what the code was when it was imported is what ran.
    """
    here = str(Path.cwd())
    if here not in _KNOWN:
        ours = {"version": VERSION, **_state(Path(__file__).parents[1])}
        _KNOWN[here] = {"project": _state(Path.cwd()), "tlx": ours}
    return _KNOWN[here]


def remember(found: dict[str, Any]) -> None:
    """In a process made for a trial: what its parent found of the working directory, which is not looked for again."""
    _KNOWN[str(Path.cwd())] = found


def _state(folder: Path) -> dict[str, Any]:
    """Commit, difference and untracked files (with their hashes); empty outside a repository, or without git."""
    with repository(folder) as found:
        commit = found.ask("rev-parse", "HEAD").strip() if found is not None else ""
        if found is None or not commit:
            return {}
        plain = ("--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
        diff = found.ask("diff", "HEAD", *plain)
        names = found.ask("ls-files", "--others", "--exclude-standard", "-z").split("\0")
        named = [name for name in names if name.endswith((".py", ".yaml", ".toml", ".lock"))]
        untracked = {name: _hash(found.root / name) for name in named[:_MOST]}
        untracked |= {"...": f"and {len(named) - _MOST} more"} if len(named) > _MOST else {}
    state: dict[str, Any] = {"commit": commit, "untracked": untracked}
    if diff:
        state |= {"diff_sha": hashlib.sha256(diff.encode()).hexdigest()}
        state |= {"diff": diff} if len(diff) <= _LARGEST else {}
    return state


def _hash(path: Path) -> str:
    """Of a file's content; empty for what is none, a link or a pipe say."""
    try:
        with foreign.reading(path) as stream:
            if os.fstat(stream.fileno()).st_size > _HASHED:
                return ""
            return hashlib.file_digest(stream, "sha256").hexdigest()[:32]  # type: ignore[arg-type]
    except (OSError, foreign.Unreadable):
        return ""
