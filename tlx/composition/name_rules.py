"""What runs are called by, and where paths lead: refused before anything starts where no file can have that name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigIssue
from tlx.config.select import select
from tlx.files.printable import printable

_NAME = 80  # bytes of each of the three names that a run folder is called by; a folder's name has 255
_PATH = 3500  # bytes of a path to run folders, which leaves room for what lies in them
_PART = 255  # bytes of one name on the way


def names_can_be_names(config: Any) -> Iterator[ConfigIssue]:
    """Runs, their groups and a study's arms are called by something that a folder can be called by."""
    alias = config.backbone.alias
    backbone = ("backbone.alias", alias) if alias else ("backbone.name", Path(str(config.backbone.name)).name)
    named = [backbone, ("dataset.name", Path(str(config.dataset.name)).name), ("strategy.name", config.strategy.name)]
    for key, name in named:
        if fault := _name_fault(str(name)):
            instead = "; name it by backbone.alias=..." if key == "backbone.name" else ""
            yield ConfigIssue(key, f"{fault}, and runs are called by it{instead}", name)
    if config.group is not None and (fault := _name_fault(str(config.group).replace("/", "-"))):
        yield ConfigIssue("group", fault, config.group)
    if config.sweep.name is not None and (fault := _name_fault(str(config.sweep.name))):
        yield ConfigIssue("sweep.name", fault, config.sweep.name)
    arms = select(config, "study.arms")
    for arm in arms if isinstance(arms, Mapping) else ():
        if fault := _text_fault(str(arm)):
            yield ConfigIssue("study.arms", fault, arm)


def paths_can_be_paths(config: Any) -> Iterator[ConfigIssue]:
    """Paths are short enough, and a home at their beginning is somebody's."""
    for key in ("output", "reuse.folder"):
        value = select(config, key)
        if value is not None and (fault := path_fault(str(value))):
            yield ConfigIssue(key, fault, value)


def path_fault(text: str) -> str:
    """Say why no file or folder can be called so; empty where it can."""
    if not text.strip():
        return "expected a folder, not nothing"
    if printable(text) != text:
        return "expected a name without line ends and other control characters"
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        return "there is no home folder of that name; write the whole path"
    size = max(len(os.fsencode(part)) for part in (*path.parts, ""))
    if size > _PART:
        return f"has a name of {size} bytes in it; file systems take {_PART}"
    return f"is longer than {_PATH:,} bytes" if len(os.fsencode(path.absolute())) > _PATH else ""


def is_there(text: str) -> bool:
    """Does a file or folder exist? (what can be none, does not)"""
    try:
        return Path(text).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _name_fault(name: str) -> str:
    if not name or name.startswith((".", "-")):
        return "expected a name that begins with neither a dot nor a dash"
    if "/" in name:
        return "expected a name without /"
    return _text_fault(name)


def _text_fault(name: str) -> str:
    if not name.strip():
        return "expected a name, not nothing"
    if printable(name) != name:
        return "expected a name without line ends and other control characters"
    size = len(name.encode())
    return f"has {size} bytes; a name may have {_NAME}" if size > _NAME else ""
