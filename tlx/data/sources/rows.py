"""Rows of a CSV, JSON lines or Parquet file as text, with the line each came from; every broken row is named."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.dataset import Limits
from tlx.config.errors import ConfigIssue, suggest
from tlx.data.sources import delimited, jsonlines, parquet
from tlx.data.sources.sheet import Sheet
from tlx.files import regular

ITEMS = "\x1f"  # ASCII's unit separator: begins a label that was a list, and parts its items
_DEFAULT = Limits()
_READERS = {
    ".csv": delimited.read,
    ".tsv": delimited.read,
    ".jsonl": jsonlines.read,
    ".ndjson": jsonlines.read,
    ".json": jsonlines.read,
    ".parquet": parquet.read,
}


@dataclass
class Rows:
    """The wanted columns of a file. ``None`` is a cell that is not there; "NA" and "None" are words like any other."""

    file: Path
    inputs: list[Any] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[ConfigIssue] = field(default_factory=list)


def read(file: Path, key: str, input_column: str, label_column: str, limits: Limits = _DEFAULT) -> Rows:
    """Read the two columns of a file.

    Args:
        file: Its suffix says how it is read.
        key: The option that named it, for messages.
        input_column: Name of the column of inputs.
        label_column: Name of the column of labels.
        limits: The most that is read.

    Returns:
        The rows that could be read, and problems; those of a row have ``file:row`` as their key.
    """
    sheet = Sheet(file, input_column, label_column, limits)
    rows = Rows(file, problems=sheet.problems)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        sheet.fatal(f"not one of {', '.join(_READERS)}", key, str(file))
        return rows
    labels: dict[str, str] = {}  # a class is one object, however many rows it has
    try:
        for row, value, label in reader(sheet):
            word = _word(label)
            rows.inputs.append(_there(value))
            rows.labels.append(None if word is None else labels.setdefault(word, word))
            rows.lines.append(row)
    except OSError as error:
        sheet.fatal(f"cannot be read: {regular.reason(error)}", key, str(file))
        return rows
    columns = list(sheet.columns)
    for column, option in ((input_column, "dataset.input"), (label_column, "dataset.label")):
        if columns and column not in sheet.columns:
            hint = suggest(column, columns) or f"; it has {_some(columns)}"
            sheet.fatal(f"{file} has no such column{hint}", option, column)
            rows.inputs, rows.labels, rows.lines = [], [], []
            return rows
    if not rows.inputs and not rows.problems:
        sheet.fatal("holds no rows", key, str(file))
    return rows


def _some(names: list[str], most: int = 30) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
