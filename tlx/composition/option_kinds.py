"""What types the options of a group: the kind behind a file, and the files of a kind."""

from __future__ import annotations

from pathlib import Path

from tlx.components import groups
from tlx.composition import defaults, search_path
from tlx.config.errors import ConfigError
from tlx.files import foreign


def kind_of(group: str, path: Path) -> type:
    """The option class a group file is typed by, following the choices it starts from.

    Raises:
        ConfigError: That file, or one it starts from, is not fit to be read.
    """
    entries = defaults.entries(path, group)
    named = [option for inner, option in entries if inner == f"schema/{group}" and option in groups.options(group)]
    if named:
        return groups.options(group)[named[0]]
    for inner, option in entries:
        parent = search_path.find(group, option) if inner == group else None
        if parent is not None and parent != path:
            return kind_of(group, parent)
    return next(iter(groups.options(group).values()))


def options_of(group: str, kind: str) -> list[str]:
    """The options of a group that are of a kind, the one of its own name alone where there is one."""
    known = search_path.options(group)
    return [kind] if kind in known else [name for name in known if _is_of(group, name, groups.options(group)[kind])]


def _is_of(group: str, name: str, kind: type) -> bool:
    path = search_path.find(group, name)
    try:
        return path is not None and kind_of(group, path) is kind
    except (ConfigError, foreign.Unreadable, OSError):  # told where it is chosen
        return False
