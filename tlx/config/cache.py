"""The folder for things that can be made again: rendered data, content hashes, features of frozen backbones."""

from __future__ import annotations

import os
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, marks

KIND = "cache"
_PARTS = frozenset({"features", "glyphs", "hashes", "reuse", "vetted", marks.MARK})  # reuse: tlx 0.1's features


def cache_root() -> Path:
    """Where the cache is, or would be: ``$TLX_CACHE``, else ``tlx`` below ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("TLX_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tlx"
    return Path(chosen).expanduser().absolute()


def cache_folder(*parts: str) -> Path:
    """A folder of the cache, made if need be.

    Raises:
        ConfigError: The cache would lie in a folder that tlx did not make.
        OSError: It cannot be made; the cache is optional, so go on without.
    """
    root = cache_root()
    if reason := cache_obstacle():
        raise ConfigError([ConfigIssue("TLX_CACHE", f"{reason}; name another folder, or {root / 'tlx'}", root)])
    if not marks.is_marked(root, KIND):
        marks.mark(root, KIND)
    folder = root.joinpath(*parts)
    durable.make_folder(folder)
    return folder


def cache_obstacle() -> str:
    """Why the cache cannot be where it would be; empty where it can. Nothing is written."""
    root = cache_root()
    reason = marks.obstacle(root, KIND)
    if reason and not marks.precious(root) and _is_of_old(root):
        return ""
    return reason


def _is_of_old(root: Path) -> bool:
    """Is it the unmarked cache of tlx 0.1: folders of these names and nothing else?"""
    try:
        with os.scandir(root) as entries:
            return all(entry.name in _PARTS and entry.is_dir(follow_symlinks=False) for entry in entries)
    except OSError:
        return False
