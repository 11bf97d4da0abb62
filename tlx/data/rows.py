"""Rows of a CSV, JSON lines or Parquet file as text, with the line each came from; every broken row is named."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.errors import Problem, nearest

ITEMS = "\x1f"  # ASCII's unit separator: begins a label that was a list, and parts its items
_LONGEST_CELL = 1 << 30  # characters; the csv module's own limit is 131072


@dataclass
class Rows:
    """The wanted columns of a file. ``None`` is a cell that is not there; "NA" and "None" are words like any other."""

    file: Path
    inputs: list[Any] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read(file: Path, key: str, input_column: str, label_column: str) -> Rows:
    """Read the two columns of ``file``; ``key`` is the option that named it, for messages."""
    rows = Rows(file)
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _jsonl, ".parquet": _parquet}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        rows.problems.append(Problem(key, f"not one of {', '.join(readers)}", str(file)))
        return rows
    columns: list[str] = []
    for line, cells in reader(rows):
        columns += [column for column in cells if column not in columns]
        rows.inputs.append(_there(cells.get(input_column)))
        rows.labels.append(_word(cells.get(label_column)))
        rows.lines.append(line)
    for column, option in ((input_column, "dataset.input"), (label_column, "dataset.label")):
        if columns and column not in columns:
            hint = nearest(column, columns) or f"; it has {', '.join(columns)}"
            rows.problems.append(Problem(option, f"{file} has no such column{hint}", column))
            rows.inputs, rows.labels, rows.lines = [], [], []
            return rows
    if not rows.inputs and not rows.problems:
        rows.problems.append(Problem(key, "holds no rows", str(file)))
    return rows


def _there(value: Any) -> Any:
    """The value, or ``None`` for the NaN that stands for nothing in a Parquet column."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _word(label: Any) -> str | None:
    """A label as text: 3.0 and 3 are the same class; a list is its items behind ``ITEMS``."""
    if _there(label) is None:
        return None
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    if isinstance(label, list):
        return ITEMS + ITEMS.join(str(item).strip() for item in label)
    return str(label).strip()


def _bad(rows: Rows, line: int, message: str) -> None:
    rows.problems.append(Problem(f"{rows.file}:{line}", message))


def _csv(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = _Lines(rows)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(lines, delimiter="\t" if rows.file.suffix.lower() == ".tsv" else ",", strict=True)
    header: list[str] | None = None
    while True:
        first = lines.number + 1  # a quoted cell may go on over several lines: a row is where it begins
        lines.broken = False
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            _bad(rows, first, f"not readable as CSV: {error}")
            continue
        if lines.broken or not cells:
            continue
        if header is None:
            header = [name.strip() for name in cells]
        elif len(cells) != len(header):
            _bad(rows, first, f"has {len(cells)} cells, the header has {len(header)}")
        else:
            yield lines.number, dict(zip(header, cells, strict=True))


class _Lines:
    """The lines of a file as text, numbered; one that is not UTF-8 is told and read as far as it goes."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.number = 0
        self.broken = False
        self.stream = io.BytesIO(rows.file.read_bytes().removeprefix(codecs.BOM_UTF8))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self.stream.readline()
        if not raw:
            raise StopIteration
        self.number += 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"not UTF-8 at byte {error.start} of the line; save the file as UTF-8"
            _bad(self.rows, self.number, message)
            self.broken = True
            return raw.decode("utf-8", errors="replace")


def _jsonl(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = _Lines(rows)
    for text in lines:
        number, broken = lines.number, lines.broken
        lines.broken = False
        if broken or not text.strip():
            continue
        try:
            cells = json.loads(text)
        except json.JSONDecodeError as error:
            _bad(rows, number, f"not readable as JSON: {error.msg} (one object per line)")
            continue
        if not isinstance(cells, dict):
            _bad(rows, number, f"expected an object, found {type(cells).__name__}")
            continue
        yield number, cells


def _parquet(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(rows.file).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        rows.problems.append(Problem(str(rows.file), f"not readable as Parquet: {str(error).splitlines()[0]}"))
        return
    yield from enumerate(table, start=1)
