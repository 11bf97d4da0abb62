"""Two records side by side: what is the same, what differs, what is not known of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SECTIONS = ("code", "software", "packages", "data", "weights", "hardware", "flags")
SAME, DIFFERS, UNKNOWN = "same", "differs", "unknown"


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

    def __str__(self) -> str:
        name = f"{self.section}: {self.item}" if self.item else self.section
        return name if self.state == SAME else f"{name}  {_short(self.then)} -> {_short(self.now)}"


def settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """The configurations: one row where they are the same, else one per setting that is not."""
    return _rows("config", _flat(then), _flat(now))


def surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """All sections of two records (:mod:`tlx.record.sheet`), the likeliest causes first."""
    rows: list[Row] = []
    for section in SECTIONS:
        if section not in then or section not in now:
            rows.append(Row(section, "", then.get(section), now.get(section)))
        else:
            rows += _rows(section, _flat(then[section]), _flat(now[section]))
    return rows


def _rows(section: str, then: dict[str, Any], now: dict[str, Any]) -> list[Row]:
    rows = [Row(section, key, then.get(key), now.get(key)) for key in dict.fromkeys((*then, *now))]
    unlike = [row for row in rows if row.state != SAME]
    return unlike or [Row(section, "", len(then), len(now))]


def _flat(node: Any, path: str = "") -> dict[str, Any]:
    return dict(_leaves(node, path))


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            if key != "diff":  # its hash says whether it is the same
                yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and any(isinstance(value, Mapping) for value in node):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}.{index}")
    else:
        yield path, "null" if node is None else node


def _short(value: Any) -> str:
    text = "not there" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
