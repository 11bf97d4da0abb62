"""Folders that tlx writes to are its own, or can become so: a folder with somebody's files in it is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlx.composition.name_rules import path_fault
from tlx.config import output
from tlx.config.cache import cache_obstacle, cache_root
from tlx.config.errors import ConfigIssue
from tlx.files import marks


def runs_have_a_place(config: Any) -> Iterator[ConfigIssue]:
    """``output`` holds runs of tlx, or nothing."""
    text = str(config.output)
    if path_fault(text):  # told by another rule
        return
    folder = Path(text).expanduser().absolute()
    if reason := marks.precious(folder) or _no_folder(folder) or output.obstacle(folder):
        yield output.refused(reason, text)


def features_have_a_place(config: Any) -> Iterator[ConfigIssue]:
    """``reuse.folder`` is a feature cache of tlx's, or nothing: what is in a cache may be removed."""
    if config.reuse.folder is None or path_fault(str(config.reuse.folder)):
        return
    text = str(config.reuse.folder)
    if reason := marks.obstacle(Path(text).expanduser(), "feature cache"):
        other = os.path.join(text, "tlx-features")
        yield ConfigIssue("reuse.folder", f"{reason}; name another: reuse.folder={other}", text)


def cache_has_a_place(config: Any) -> Iterator[ConfigIssue]:
    """What can be made again is kept in a folder of tlx's, or a new one."""
    if reason := cache_obstacle():
        root = cache_root()
        yield ConfigIssue(
            "TLX_CACHE", f"{reason}; name another in the environment: TLX_CACHE={root / 'tlx-cache'}", root
        )


def _no_folder(folder: Path) -> str:
    """Why no folder can be made there; empty where one can, or is there."""
    above = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
    if os.path.isdir(above) or not os.path.lexists(above):
        return ""
    return "is not a folder" if above == folder else f"cannot be made, as {above.name} is not a folder"
