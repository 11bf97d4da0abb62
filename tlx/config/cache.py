"""The folder for things that can be made again: rendered data, content hashes."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder below ``$TLX_CACHE`` (default ``~/.cache/tlx``), made if need be."""
    root = os.environ.get("TLX_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tlx"
    folder = Path(root).expanduser().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
