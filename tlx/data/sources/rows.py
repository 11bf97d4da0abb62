"""Columns of a CSV, JSON lines, Parquet or SQLite file, with the line each row came from; every broken row is named."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue, suggest
from tlx.data.sources import delimited, jsonlines, parquet, sqlite
from tlx.data.sources.sheet import Refused, RowIterator, Sheet, some
from tlx.files import regular

_DEFAULT = Limits()
_BLOCK = 64  # rows made columns at once: so few that the garbage collector hardly sees them
_MISSING = 20  # columns that are not there, told one by one
_READERS = {
    ".csv": delimited.read,
    ".tsv": delimited.read,
    ".jsonl": jsonlines.read,
    ".ndjson": jsonlines.read,
    ".json": jsonlines.read,
    ".parquet": parquet.read,
    ".sqlite": sqlite.read,
    ".sqlite3": sqlite.read,
    ".db": sqlite.read,
}
SUFFIXES = tuple(_READERS)
DATABASES = tuple(suffix for suffix, reader in _READERS.items() if reader is sqlite.read)


@dataclass
class Rows:
    """Columns of a file, all of one length.

    Attributes:
        file: What was read.
        cells: The cells of each column, as the file gives them: text, numbers, bools, dates, lists. ``None`` is a cell
            that is not there; "NA" and "None" are words like any other.
        lines: The line of each row (CSV, JSON lines), or its number (Parquet, SQLite).
        problems: What is wrong; those of a row have ``file:row`` as their key.
        left_out: Columns that nobody named and that hold no cells, each as "name (type)".
    """

    file: Path
    cells: dict[str, list[Any]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    problems: list[ConfigIssue] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read(
    file: Path,
    key: str,
    columns: Mapping[str, str] | None,
    limits: Limits = _DEFAULT,
    *,
    table: str | None = None,
    lists: Collection[str] = (),
) -> Rows:
    """Read columns of a file.

    Args:
        file: Its suffix says how it is read.
        key: The option that named it, for messages.
        columns: The columns to read, and the option that named each, for messages. ``None`` is every column that the
            file has, in the file's order.
        limits: The most that is read.
        table: Of SQLite, which table or view; ``None`` is its only table. Other files have none.
        lists: Columns of Parquet that may hold lists.

    Returns:
        The rows that could be read, and problems.

    Raises:
        ValueError: ``columns`` names none.
    """
    if columns is not None and not columns:
        raise ValueError("no column is asked for")
    sheet = Sheet(file, columns, limits, table, frozenset(lists))
    rows = Rows(file, {name: [] for name in columns or ()}, problems=sheet.problems, left_out=sheet.left_out)
    block: list[Sequence[Any]] = []
    try:
        for line, cells in stream(sheet, key):
            rows.lines.append(line)
            block.append(cells)
            if len(block) == _BLOCK:
                _add(rows, sheet.names, block)
    finally:
        _add(rows, sheet.names, block)
    if miss(sheet):
        rows.cells, rows.lines = {name: [] for name in columns or ()}, []
    elif not rows.lines and not rows.problems:
        sheet.fatal("holds no rows", key, str(file))
    return rows


def stream(sheet: Sheet, key: str) -> RowIterator:
    """Read the rows of a file one after the other.

    Args:
        sheet: What is wanted; problems are put into it as they are met.
        key: The option that named the file, for messages.

    Yields:
        The line of each row (or its number), and its cells in the order of ``sheet.names``.
    """
    reader = _READERS.get(sheet.file.suffix.lower())
    if reader is None:
        sheet.fatal(f"not one of {', '.join(_READERS)}", key, str(sheet.file))
        return
    try:
        yield from reader(sheet)
    except Refused as refused:
        sheet.fatal(str(refused), refused.key, refused.value)
    except OSError as error:
        sheet.fatal(f"cannot be read: {regular.reason(error)}", key, str(sheet.file))


def word(cell: Any) -> str | None:
    """Write a cell as the name of a class.

    Args:
        cell: As :func:`read` gives it.

    Returns:
        Its text: 3.0 and 3 are the same class. ``None`` for a cell that is not there.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _add(rows: Rows, names: list[str], block: list[Sequence[Any]]) -> None:
    """Move rows to the ends of their columns; those of a column first seen here begin with cells that are not there."""
    before = len(rows.lines) - len(block)
    columns = zip_longest(*block)  # the first rows of JSON lines know fewer columns
    for name in names:
        if name not in rows.cells:
            rows.cells[name] = [None] * before
        rows.cells[name] += _there(next(columns, (None,) * len(block)))
    block.clear()


def _there(cells: Sequence[Any]) -> Sequence[Any]:
    """The cells, with ``None`` for each NaN, which stands for nothing in Parquet."""
    if float not in set(map(type, cells)):
        return cells
    return [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]


def miss(sheet: Sheet) -> bool:
    """Tell the wanted columns that a file does not have; is there one?"""
    seen = list(sheet.columns)
    missing = [name for name in sheet.wanted or () if seen and name not in sheet.columns]
    for name in missing[:_MISSING]:
        hint = suggest(name, seen) or f"; it has {some(seen)}"
        sheet.fatal(f"{sheet.file} has no such column{hint}", sheet.option(name), name)
    if len(missing) > _MISSING:
        sheet.fatal(f"has none of {len(missing) - _MISSING:,} more columns that are asked for")
    return bool(missing)
