"""Rows of a CSV, JSON lines or Parquet file as text, with the line each came from; every broken row is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.errors import Problem, nearest


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
        columns = columns or list(cells)
        if not rows.inputs and (absent := [c for c in (input_column, label_column) if c not in cells]):
            for column in absent:
                option = "dataset.input" if column == input_column else "dataset.label"
                hint = nearest(column, columns) or f"; it has {', '.join(columns)}"
                rows.problems.append(Problem(option, f"{file} has no such column{hint}", column))
            return rows
        rows.inputs.append(cells.get(input_column))
        label = cells.get(label_column)
        rows.labels.append(None if label is None else _word(label))
        rows.lines.append(line)
    if not rows.inputs and not rows.problems:
        rows.problems.append(Problem(key, "holds no rows", str(file)))
    return rows


def _word(label: Any) -> str:
    """A label as text: 3.0 and 3 are the same class, lists keep their items apart."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).strip()


def _bad(rows: Rows, line: int, message: str) -> None:
    rows.problems.append(Problem(f"{rows.file}:{line}", message))


def _csv(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = _decoded(rows)
    reader = csv.reader(lines, delimiter="\t" if rows.file.suffix.lower() == ".tsv" else ",", strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            _bad(rows, reader.line_num, f"not readable as CSV: {error}")
            continue
        if header is None:
            header = [name.strip().removeprefix("\ufeff") for name in cells]
        elif not cells:
            continue
        elif len(cells) != len(header):
            _bad(rows, reader.line_num, f"has {len(cells)} cells, the header has {len(header)}")
        else:
            yield reader.line_num, dict(zip(header, cells, strict=True))


def _decoded(rows: Rows) -> Iterator[str]:
    with rows.file.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                yield raw.decode("utf-8")
            except UnicodeDecodeError as error:
                _bad(rows, number, f"not UTF-8 at byte {error.start} of the line; save the file as UTF-8")


def _jsonl(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, text in enumerate(_decoded(rows), start=1):
        if not text.strip():
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
    from datasets import Dataset

    try:
        table = Dataset.from_parquet(str(rows.file), keep_in_memory=True)
    except Exception as error:  # datasets wraps pyarrow's and the OS's errors in kinds of its own
        cause = error.__cause__ or error
        rows.problems.append(Problem(str(rows.file), f"not readable as Parquet: {str(cause).splitlines()[0]}"))
        return
    yield from enumerate(table, start=1)
