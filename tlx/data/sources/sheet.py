"""A file of rows that is being read: what is wanted of it, within which limits, and what is wrong with it so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.dataset import Limits
from tlx.config.errors import ConfigIssue

Cells = tuple[int, Any, Any]  # the row's number, its input and its label
_NAMED = 1000  # columns kept for messages


@dataclass
class Sheet:
    """Filled by the reader of a format. Problems of rows have ``file:row`` as their key; others end the reading."""

    file: Path
    input: str
    label: str
    limits: Limits
    columns: dict[str, None] = field(default_factory=dict)  # seen, in order; not all of very many
    problems: list[ConfigIssue] = field(default_factory=list)

    def bad(self, row: int, message: str) -> None:
        """Note that a row cannot be read."""
        self.problems.append(ConfigIssue(f"{self.file}:{row}", message))

    def fatal(self, message: str, key: str = "", value: object = None) -> None:
        """Note that the file cannot be read, or not to its end; ``key`` is an option, where one would help."""
        self.problems.append(ConfigIssue(key or str(self.file), message, value))

    def see(self, names: Iterable[str]) -> None:
        """Note the names of columns."""
        for name in names:
            if len(self.columns) < _NAMED or name in (self.input, self.label):
                self.columns.setdefault(name)


RowIterator = Iterator[Cells]
