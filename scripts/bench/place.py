"""The folder that a benchmark works in: one it makes, or has marked before; nobody else's is emptied."""

from __future__ import annotations

import shutil
from pathlib import Path

from tlx.files import marks

KIND = "benchmark"


def claimed(folder: Path) -> Path:
    """Make a folder the benchmark's own; ends the program where it is somebody else's."""
    try:
        marks.claim(folder, KIND)
    except marks.NotOurs as reason:
        raise SystemExit(f"{folder} {reason}; name another folder") from None
    return folder


def emptied(folder: Path) -> Path:
    """As :func:`claimed`, without what an earlier benchmark has left in it."""
    for path in claimed(folder).iterdir():
        if path.name != marks.MARK:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return folder
