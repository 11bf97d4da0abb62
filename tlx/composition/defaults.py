"""Lists of defaults: the files that a configuration file starts from, followed before Hydra follows them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tlx._compat.config_nodes import node_at
from tlx.composition import files
from tlx.config.errors import ConfigError, ConfigIssue

MOST = 50  # files that one starts from, each as often as it is named
Find = Callable[[str, str], Path | None]
_ENTRY = "expected a name, or a group and its option"


def follow(path: Path, group: str, find: Find) -> None:
    """See that the files which a file starts from are few, have an end, and are named as Hydra expects.

    Args:
        path: The file.
        group: Its group; names without one are looked for there.
        find: The file behind an option of a group, if it has one.

    Raises:
        ConfigError: They are not, or one of them is not fit to be read; the file is named.
    """
    _count(path, group, find, [])


def _count(path: Path, group: str, find: Find, above: list[Path]) -> int:
    if path in above:
        circle = " -> ".join(files.shown(one) for one in [*above, path])
        raise ConfigError([ConfigIssue("defaults", f"starts from itself: {circle}", where=files.shown(path))])
    count = 1
    for inner, option in entries(path, group):
        parent = find(inner, option)
        if parent is not None:
            count += _count(parent, inner, find, [*above, path])
        if count > MOST:
            message = f"starts from more than {MOST} files, each counted as often as it is named"
            raise ConfigError([ConfigIssue("defaults", message, where=files.shown(path))])
    return count


def entries(path: Path, group: str) -> list[tuple[str, str]]:
    """The group and the option of each entry of a file's list; raises :class:`ConfigError`."""
    _, config = files.load(path)
    return list(_named(node_at(config, "defaults"), group, path))


def _named(defaults: Any, group: str, path: Path) -> Iterator[tuple[str, str]]:
    if defaults is None:
        return
    found = OmegaConf.to_container(defaults, resolve=False) if OmegaConf.is_list(defaults) else None
    if not isinstance(found, list):
        message = "expected a list, such as: defaults: [_self_]"
        raise ConfigError([ConfigIssue("defaults", message, where=files.shown(path))])
    for entry in found:
        if isinstance(entry, str):
            folder, _, option = _place(entry, group).rpartition("/")
            yield folder, option
        elif isinstance(entry, dict) and len(entry) == 1 and all(isinstance(key, str) for key in entry):
            ((key, chosen),) = entry.items()
            options = chosen if isinstance(chosen, list) else [chosen]
            if not all(option is None or isinstance(option, str) for option in options):
                raise ConfigError([ConfigIssue("defaults", _ENTRY, entry, files.shown(path))])
            yield from ((_place(key.split()[-1] if key.split() else "", group), str(option)) for option in options)
        else:
            raise ConfigError([ConfigIssue("defaults", _ENTRY, entry, files.shown(path))])


def _place(name: str, group: str) -> str:
    """A name as a path from the top, without the package it goes to."""
    name = name.partition("@")[0]
    return name.lstrip("/") if name.startswith("/") else os.path.normpath(f"{group}/{name}")
