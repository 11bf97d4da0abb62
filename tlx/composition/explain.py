"""What Hydra refused although the request looked right, in the words of the other problems."""

from __future__ import annotations

import re
from pathlib import Path

from omegaconf import OmegaConf

from tlx.components import groups
from tlx.composition import check, defaults, files, request, search_path
from tlx.config.errors import ConfigIssue
from tlx.config.schema import GROUPS


def problems(error: Exception) -> list[ConfigIssue]:
    """Tell the mistakes in the group file that Hydra stumbled over, or else what Hydra says.

    Raises:
        ConfigError: That file, or one it starts from, is not fit to be read.
    """
    text = str(error)
    place = re.search(r"In '([^'/]+)/([^']+)'", text)
    path = search_path.find(place.group(1), place.group(2)) if place else None
    if place and path is not None and place.group(1) in GROUPS:
        group = place.group(1)
        base = OmegaConf.create({group: OmegaConf.structured(_kind_of(group, path))})
        found = check.settings(base, request.group_settings(group, path))
        if found:
            return found
    key = re.search(r"full_key: (\S+)", text)
    message = next((line for line in text.splitlines()[1:] if line.strip()), (text.splitlines() or ["unreadable"])[0])
    where = files.shown(path) if path is not None else ""
    return [ConfigIssue(key.group(1) if key else "configuration", message.strip(), None, where)]


def _kind_of(group: str, path: Path) -> type:
    """The option class a group file is typed by, following the choices it starts from."""
    entries = defaults.entries(path, group)
    named = [option for inner, option in entries if inner == f"schema/{group}" and option in groups.options(group)]
    if named:
        return groups.options(group)[named[0]]
    for inner, option in entries:
        parent = search_path.find(group, option) if inner == group else None
        if parent is not None and parent != path:
            return _kind_of(group, parent)
    return next(iter(groups.options(group).values()))
