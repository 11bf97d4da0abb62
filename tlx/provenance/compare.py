"""Two records side by side: what is the same, what differs, what is not known of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from tlx.files.secrets import redacted
from tlx.runs.manifest import VARIABLES

SECTIONS = ("code", "data", "weights", "flags", VARIABLES, "software", "hardware", "packages")  # likeliest causes first
SAME, DIFFERS, UNKNOWN = "same", "differs", "unknown"
_ABSENT = "not there"
_COMPLETE = {VARIABLES: "not set", "packages": "not installed"}  # what is not in such a section was not there then
_PROJECT = "project."  # the project's own state: what of it computes is a plugin, which has a row of its own


@dataclass(frozen=True)
class Row:
    """One thing that decides numbers, then and now."""

    section: str
    item: str
    then: Any
    now: Any

    @property
    def state(self) -> str:
        """same | differs | unknown"""
        if self.then is None or self.now is None:
            return UNKNOWN
        return SAME if self.then == self.now else DIFFERS

    @property
    def change(self) -> str:
        """The item, then and now, without its section."""
        return f"{self.item} {self.values}"

    @property
    def values(self) -> str:
        """Then and now."""
        return f"{_short(self.then)} -> {_short(self.now)}"

    def __str__(self) -> str:
        name = f"{self.section}: {self.item}" if self.item else self.section
        return name if self.state == SAME else f"{name}  {self.values}"


def settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """The configurations: one row where they are the same, else one per setting that is not.

    A part that only one of them has, such as a further phase, is one row with what it sets.
    """
    return list(_unlike(then, now, "")) or [Row("config", "", len(then), len(now))]


def _unlike(then: Any, now: Any, path: str) -> Iterator[Row]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*then, *now)):
            yield from _unlike(then.get(key, _ABSENT), now.get(key, _ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(then, list) and isinstance(now, list) and any(isinstance(one, Mapping) for one in (*then, *now)):
        for index, (one, other) in enumerate(zip_longest(then, now, fillvalue=_ABSENT)):
            yield from _unlike(one, other, f"{path}.{index}")
    elif then != now:
        yield Row("config", path, _told(then), _told(now))


def _told(value: Any) -> Any:
    """A value, or what a part sets."""
    if isinstance(value, Mapping):
        leaves = _flat(value).items()
        return ", ".join(f"{key}: {one}" for key, one in leaves if one not in ("null", [], {})) or "nothing"
    return "null" if value is None else value


def surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """All sections of two records (:mod:`tlx.runs.manifest`), the likeliest causes first."""
    rows: list[Row] = []
    for section in SECTIONS:
        if section not in then or section not in now:
            rows.append(Row(section, "", then.get(section), now.get(section)))
        else:
            rows += _rows(section, _flat(then[section]), _flat(now[section]))
    return rows


def likely_cause(rows: Iterable[Row]) -> Row | None:
    """The likeliest reason for other numbers: what differs before what is not known, in the order of the rows.

    The commit of the project comes last of what differs: what of a project computes are its plugins.
    """
    unlike = [row for row in rows if row.state != SAME]
    return min(unlike, key=lambda row: (row.state == UNKNOWN, _is_of_project(row)), default=None)


def _is_of_project(row: Row) -> bool:
    return row.section == "code" and row.item.startswith(_PROJECT)


def _rows(section: str, then: dict[str, Any], now: dict[str, Any]) -> list[Row]:
    absent = _COMPLETE.get(section)
    rows = [Row(section, key, then.get(key, absent), now.get(key, absent)) for key in dict.fromkeys((*then, *now))]
    unlike = [row for row in rows if row.state != SAME]
    return unlike or [Row(section, "", len(then), len(now))]


def _flat(node: Any, path: str = "") -> dict[str, Any]:
    return dict(_leaves(node, path))


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key != "diff":  # its hash says whether it is the same
                yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and any(isinstance(value, Mapping) for value in node):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}.{index}")
    else:
        yield path, "null" if node is None else node


def _short(value: Any) -> str:
    text = "not there" if value is None else redacted(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
