"""Another data set as the columns of a trained model read it: columns and classes by name, nothing learned anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tlx.columns import Column, Image, Label, Labels
from tlx.columns.reading import Values
from tlx.columns.schema import Schema
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue, DataError, suggest
from tlx.data.source import Source

_CELLS = ("number", "category")  # a table's cells, which either reads


@dataclass
class Matched:
    """Examples as a trained model reads them.

    Args:
        source: With the model's columns, and those beside them that tell of an example.
        unknown: Examples of each class that the model does not know.
        left_out: The examples whose only class is one of these: there is nothing to compare their prediction with.
    """

    source: Source
    unknown: dict[str, int]
    left_out: set[int]


def matched(source: Source, schema: Schema, limits: Limits) -> Matched:
    """Match a source that was read with the columns of a trained model.

    Args:
        source: As its kind of data set loads it, with values that no column has read yet.
        schema: Of the model.
        limits: The most that is read of one value.

    Raises:
        DataError: Columns are missing or of another kind, or values cannot be read; it names them all.
    """
    needed = {**schema.inputs, **schema.targets}
    needed |= {name: schema.meta[name] for name in [schema.weight] if name is not None}
    there = {column.name: column for column in source.columns}
    _check(needed, there)
    columns, rows, problems = list[Column](), dict[str, Values](), list[ConfigIssue]()
    unknown, left_out = Counter[str](), set[int]()
    for name, column in needed.items():
        values, theirs = source.rows[name], there[name]
        if isinstance(column, Label):
            rows[name] = _labels(column, _names(values, theirs), unknown, left_out)
        elif isinstance(column, Labels):
            column, rows[name] = _several(column, values, theirs, unknown)
        else:
            if isinstance(column, Image) and isinstance(theirs, Image):  # how many files an image has is of the data
                column = column.read_of(theirs.band_files)
            column, rows[name], faults = column.encode(values, np.arange(len(source)), limits)
            problems += [ConfigIssue(source.origin(i), fault) for i, fault in faults.items()]
        columns.append(column)
    for column in source.columns:  # what else tells of an example, in the predictions and where splits are cut
        if column.name not in needed and column.role in ("id", "group", "time"):
            known, rows[column.name], _ = column.encode(source.rows[column.name], np.arange(len(source)), limits)
            columns.append(known)
    if problems:
        raise DataError(problems)
    return Matched(replace(source, columns=columns, rows=rows), dict(sorted(unknown.items())), left_out)


def _check(needed: Mapping[str, Column], there: Mapping[str, Column]) -> None:
    problems = []
    for name, column in needed.items():
        if name not in there:
            shown = ", ".join(f"{one.name!r} ({one.kind})" for one in there.values())
            hint = suggest(name, there) or f"; they are {shown}; dataset.columns.{name} says what it is read from"
            problems.append(
                ConfigIssue(name, f"the model needs this {column.kind}, the data have no such column{hint}")
            )
        elif column.kind != there[name].kind and not {column.kind, there[name].kind} <= set(_CELLS):
            message = f"the model needs a column of kind {column.kind}, it is one of kind {there[name].kind}"
            problems.append(ConfigIssue(name, message))
    if problems:
        raise DataError(problems)


def _names(values: Values, theirs: Column) -> list[str]:
    """The names of classes, which a source may have as numbers."""
    classes = theirs.classes if isinstance(theirs, Label) else ()
    return [classes[int(value)] if classes else str(value) for value in values]


def _labels(column: Label, names: Sequence[str], unknown: Counter[str], left_out: set[int]) -> Values:
    places = {name: place for place, name in enumerate(column.classes)}
    unknown.update(name for name in names if name not in places)
    left_out.update(i for i, name in enumerate(names) if name not in places)
    return np.array([places.get(name, -1) for name in names], dtype=np.int64)


def _several(column: Labels, values: Values, theirs: Column, unknown: Counter[str]) -> tuple[Labels, Values]:
    """The model's classes of each example; of those that the data say nothing of it is unknown."""
    given = theirs.classes if isinstance(theirs, Labels) else ()
    found: Any = values
    if given:
        table = np.asarray(values, dtype=np.float32)
        found = [
            {name: None if np.isnan(one) else bool(one) for name, one in zip(given, row, strict=True)} for row in table
        ]
    known = set(column.classes)
    for value in found:
        is_there = value.items() if isinstance(value, Mapping) else ((name, True) for name in value)
        unknown.update(name for name, one in is_there if one and name not in known)
    encoded, rows, _ = column.encode(found, np.arange(len(found)))
    return encoded, rows
