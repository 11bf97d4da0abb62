"""The state of the code a trial ran with: the user's project and tlx, each by commit and by what differs from it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import tlx

_LARGEST = 1 << 20  # characters of a diff that are kept; of a longer one there is the hash
_PATIENCE = 10  # seconds for git
_KNOWN: dict[str, dict[str, Any]] = {}  # by working directory


def states() -> dict[str, Any]:
    """``project``: the repository around the working directory; ``tlx``: its version, and the one it is run from.

    Asked once per process: what the code was when it was imported is what ran.
    """
    here = str(Path.cwd())
    if here not in _KNOWN:
        ours = {"version": tlx.__version__, **_state(Path(tlx.__file__).parent)}
        _KNOWN[here] = {"project": _state(Path.cwd()), "tlx": ours}
    return _KNOWN[here]


def remember(found: dict[str, Any]) -> None:
    """In a process made for a trial: what its parent found of the working directory, which is not looked for again."""
    _KNOWN[str(Path.cwd())] = found


def _state(folder: Path) -> dict[str, Any]:
    """Commit, difference and untracked files (with their hashes); empty outside a repository, or without git."""
    commit = _git(folder, "rev-parse", "HEAD").strip()
    if not commit:
        return {}
    root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    diff = _git(root, "diff", "HEAD", "--no-color", "--no-ext-diff")
    names = _git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    untracked = {name: _hash(root / name) for name in names if name.endswith((".py", ".yaml", ".toml", ".lock"))}
    state: dict[str, Any] = {"commit": commit, "untracked": untracked}
    if diff:
        state |= {"diff_sha": hashlib.sha256(diff.encode()).hexdigest()}
        state |= {"diff": diff} if len(diff) <= _LARGEST else {}
    return state


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32] if path.is_file() else ""


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
