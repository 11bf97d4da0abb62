"""What Hydra refused although the request looked right, in the words of the other problems."""

from __future__ import annotations

import re

from omegaconf import OmegaConf

from tlx.composition import check, files, request, search_path
from tlx.composition.option_kinds import kind_of
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
        base = OmegaConf.create({group: OmegaConf.structured(kind_of(group, path))})
        found = check.settings(base, request.group_settings(group, path))
        if found:
            return found
    key = re.search(r"full_key: (\S+)", text)
    message = next((line for line in text.splitlines()[1:] if line.strip()), (text.splitlines() or ["unreadable"])[0])
    where = files.shown(path) if path is not None else ""
    return [ConfigIssue(key.group(1) if key else "configuration", message.strip(), None, where)]
