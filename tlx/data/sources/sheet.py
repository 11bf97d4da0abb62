"""A file of rows that is being read: what is wanted of it, within which limits, and what is wrong with it so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue

Cells = tuple[int, Sequence[Any]]  # the row's number, and its cells in the order of Sheet.names
RowIterator = Iterator[Cells]
MOST_NAMES = 1000  # columns kept for messages, and columns of a file of which all are read


class Refused(Exception):
    """The file is not read, or not to its end; the message says why.

    Attributes:
        key: The option that would help; empty for none.
        value: What that option is now.
    """

    def __init__(self, message: str, key: str = "", value: object = None) -> None:
        super().__init__(message)
        self.key, self.value = key, value


@dataclass
class Sheet:
    """Filled by the reader of a format. Problems of rows have ``file:row`` as their key; others end the reading.

    Attributes:
        file: What is read.
        wanted: The columns to read, and the option that named each; ``None`` is every column.
        limits: The most that is read.
        table: Which table of a database; ``None`` is its only one.
        lists: Columns that may hold lists.
        columns: Those that were seen, in order; not all of very many.
        left_out: Columns that are not read though all are wanted, each as "name (type)".
        problems: What is wrong so far.
    """

    file: Path
    wanted: Mapping[str, str] | None
    limits: Limits
    table: str | None = None
    lists: frozenset[str] = frozenset()
    columns: dict[str, None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    problems: list[ConfigIssue] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The columns that are read, in order; where all are, those seen so far."""
        return list(self.columns if self.wanted is None else self.wanted)

    def option(self, name: str) -> str:
        """The option that named a column; empty where none did."""
        return "" if self.wanted is None else self.wanted[name]

    def bad(self, row: int, message: str) -> None:
        """Note that a row cannot be read."""
        self.problems.append(ConfigIssue(f"{self.file}:{row}", message))

    def fatal(self, message: str, key: str = "", value: object = None) -> None:
        """Note that the file cannot be read, or not to its end; ``key`` is an option, where one would help."""
        self.problems.append(ConfigIssue(key or str(self.file), message, value))

    def see(self, names: Iterable[str]) -> None:
        """Note the names of columns.

        Raises:
            Refused: All columns are wanted, and there are too many.
        """
        for name in names:
            if name in self.columns:
                continue
            if len(self.columns) < MOST_NAMES or (self.wanted is not None and name in self.wanted):
                self.columns[name] = None
            elif self.wanted is None:
                raise Refused(f"has more than {MOST_NAMES:,} columns; name those that are to be read")


def shortened(text: str, most: int = 80) -> str:
    """The beginning of a text that may be very long, for a message."""
    return text if len(text) < most else f"{text[:most]}..."


def some(names: Sequence[str], most: int = 30) -> str:
    """The first of many names, for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
