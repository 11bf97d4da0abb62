"""Examples in files of rows: texts, image paths, numbers and categories, with labels or numbers to be predicted."""

from __future__ import annotations

import math
import os
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tlx.columns import Category
from tlx.columns.number import number
from tlx.config import band_files
from tlx.config import dataset_parts as options
from tlx.config.dataset import Table
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import band_sets
from tlx.data.fingerprint import contents, of_files
from tlx.data.groups import GROUP, by_pattern
from tlx.data.source import RowLocation, Source
from tlx.data.sources import label_cells
from tlx.data.sources import rows as reading
from tlx.data.sources.indicators import Indicators, cell_of
from tlx.data.sources.rows import Rows
from tlx.data.sources.sqlite_guard import journals
from tlx.data.sources.table_columns import (
    Columns,
    band_files_of,
    column,
    declared,
    inferred,
    known_of,
    option_of,
    refuse_names_taken_twice,
)
from tlx.files import regular

_SHOWN = 100  # problems listed; the rest are counted


@dataclass
class _Places:
    """The file and the row of each example; what is kept is a number."""

    files: list[Path] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # the first example of each file
    lines: list[int] = field(default_factory=list)

    def __getitem__(self, i: int) -> RowLocation:
        return RowLocation(self.files[bisect_right(self.starts, i) - 1], self.lines[i])


def fingerprint(config: Table) -> str:
    """Of the files of rows, of the changes beside a database that are not in it, and of the images that rows list."""
    named = files_of(config)
    read = {**named, **_changes(named), **_listed(config, named)}
    return of_files(_place(named), ((name, os.path.abspath(path), path) for name, path in read.items()))


def _changes(files: Mapping[str, Path]) -> dict[str, Path]:
    """The journals that hold something of a database: whoever reads it is refused until it is in the file."""
    found = {}
    for role, file in files.items():
        if file.suffix.lower() in reading.DATABASES:
            found.update({f"{role}{suffix}": journal for suffix, journal in journals(file).items()})
    return found


def _listed(config: Table, files: Mapping[str, Path]) -> dict[str, Path]:
    """The images of a table, by where the table says they are."""
    columns = declared(config) or {}
    images = [  # one column of the file may name the files of several images
        (one.column or name, band_files_of(config, one)) for name, one in columns.items() if one.type == "image"
    ]
    found = {}
    for role, file in files.items() if images else ():
        wanted = dict.fromkeys((listed for listed, _ in images), "")
        read = reading.read(file, "", wanted, config.limits, table=config.table)
        for value, pattern in ((one, pattern) for listed, pattern in images for one in read.cells[listed]):
            if value is None:
                continue
            path = file.parent / str(value)
            if pattern:
                whole = [(f"{role}/{value}", str(path))]
                found.update({own: Path(of) for own, of in band_sets.files(whole, band_files.parsed(pattern))})
                continue
            try:
                regular.look(path)
            except (OSError, ValueError):  # not there, or no name of a file: the pre-flight says so
                continue
            found[f"{role}/{value}"] = path
    return found


def load(config: Table) -> Source:
    """The rows of the files named by the configuration.

    With ``on_bad=skip`` bad rows are left out and counted in the source's notes.

    Raises:
        DataError: It names the bad rows, or why a file cannot be read.
    """
    files = files_of(config)
    wanted = declared(config)
    found = {"train": _read(config, "train", files["train"], wanted)}
    notes: list[str] = []
    if wanted is None and not any(not _is_of_a_row(problem, found["train"]) for problem in found["train"].problems):
        wanted, notes = inferred(config, found["train"])
    found |= {split: _read(config, split, file, wanted) for split, file in files.items() if split != "train"}
    fatal = [problem for rows in found.values() for problem in rows.problems if not _is_of_a_row(problem, rows)]
    if fatal or wanted is None:
        raise DataError(fatal)
    refuse_names_taken_twice(config, wanted)
    values: dict[str, list[Any]] = {name: [] for name in wanted}
    groups: list[str] = []  # the paths that a pattern is searched in
    indicators = Indicators(config)
    places, splits, problems = _Places(), {}, []
    for split, rows in found.items():
        problems += rows.problems
        start = len(places.lines)
        places.files.append(rows.file)
        places.starts.append(start)
        for row, line in zip(_examples(rows, wanted, config), rows.lines, strict=True):
            faults = [fault for name, one in wanted.items() if (fault := _fault(row[name], one, name, config))]
            faults += indicators.faults(row)
            if faults:
                problems.append(ConfigIssue(str(RowLocation(rows.file, line)), "; ".join(faults)))
                continue
            for name, one in wanted.items():
                values[name].append(_value(row[name], one, rows.file, config))
            indicators.add(row)
            groups += [str(row[name]) for name in _pictures(config, wanted)]
            places.lines.append(line)
        splits[split] = np.arange(start, len(places.lines))
    if problems and config.on_bad == "error":
        more = [ConfigIssue("...", f"and {len(problems) - _SHOWN:,} more rows")] if len(problems) > _SHOWN else []
        raise DataError([*problems[:_SHOWN], *more])
    if problems:
        notes.append(f"{len(problems)} rows skipped, first: {problems[0].key} {problems[0].message}")
    notes += _without_label(values, wanted) + indicators.notes
    columns = [column(name, one, config) for name, one in wanted.items()]
    rows_of: dict[str, Any] = {**values, **indicators.values}
    if config.group.pattern is not None:
        columns.append(Category(GROUP, role="group"))
        rows_of[GROUP] = by_pattern(config.group.pattern, groups)
    given = splits if len(splits) > 1 else {}
    place = _place(files)
    hashes = {
        name: partial(_contents, place, values[name], band_files_of(config, one))
        for name, one in wanted.items()
        if one.type == "image"
    }
    columns += indicators.columns
    return Source(columns, rows_of, given, lambda i: str(places[i]), notes, contents=hashes)


def _contents(place: str, images: list[str], pattern: str) -> list[str]:
    """A hash for the content of each image."""
    if pattern:
        return band_sets.hashes(place, ((os.path.abspath(path), path) for path in images), band_files.parsed(pattern))
    return contents(place, [(path, os.path.abspath(path), path) for path in images])


def _pictures(config: Table, wanted: Columns) -> list[str]:
    """The column of images whose paths say the group; none where no pattern is asked for."""
    if config.group.pattern is None:
        return []
    return [name for name, one in wanted.items() if one.type == "image"][:1]


def _without_label(values: Mapping[str, list[Any]], wanted: Columns) -> list[str]:
    """A note on each column of labels some of whose rows have none."""
    empty = {name: sum(not value for value in values[name]) for name, one in wanted.items() if one.type == "labels"}
    return [
        f"{count:,} of {len(values[name]):,} rows have an empty {name!r}: examples of none of the classes"
        for name, count in empty.items()
        if count
    ]


def _place(files: Mapping[str, Path]) -> str:
    """What the hashes of a table's files are remembered under."""
    return "|".join(os.path.realpath(path) for path in files.values())


def files_of(config: Table) -> dict[str, Path]:
    """The files of a table by their split; raises :class:`DataError` for a home folder that nobody has."""
    named = {"train": config.file, "val": config.val_file, "test": config.test_file}
    found = {}
    for split, name in named.items():
        if name is None:
            continue
        try:
            found[split] = Path(name).expanduser()
        except RuntimeError as error:
            raise DataError([ConfigIssue(_key(split), str(error), name)]) from error
    return found


def _key(split: str) -> str:
    return "dataset.file" if split == "train" else f"dataset.{split}_file"


def _read(config: Table, split: str, file: Path, wanted: Columns | None) -> Rows:
    if wanted is None:
        lists = [config.label] if config.label_separator else []
        rows = reading.read(file, _key(split), None, config.limits, table=config.table, lists=lists)
        named = dict.fromkeys(config.labels, "dataset.labels") or {config.label: "dataset.label"}
        named |= {name: option_of(config, name) for name in known_of(config)}
        if not rows.problems and not named.keys() <= rows.cells.keys():  # asked for by name, it is said what there is
            rows = reading.read(file, _key(split), named, config.limits, table=config.table)
        return rows
    keys: dict[str, str] = {}
    for name, one in wanted.items():
        short = "dataset.input" if name == config.input else "dataset.label"
        declared_as = f"dataset.columns.{name}.column" if name in config.columns else short
        keys[one.column or name] = option_of(config, name) or declared_as
    keys |= dict.fromkeys(config.labels, "dataset.labels")
    lists = [one.column or name for name, one in wanted.items() if one.type in ("label", "labels")]
    return reading.read(file, _key(split), keys, config.limits, table=config.table, lists=lists)


def _is_of_a_row(problem: ConfigIssue, rows: Rows) -> bool:
    return problem.key.startswith(f"{rows.file}:")


def _examples(rows: Rows, wanted: Columns, config: Table) -> Iterator[dict[str, Any]]:
    """The cells of each row by the name of their column; a label that has one is called as :func:`cell_of` says."""
    cells = {name: rows.cells[one.column or name] for name, one in wanted.items()}
    cells |= {cell_of(name): rows.cells[name] for name in config.labels}
    for row in zip(*cells.values(), strict=True):
        yield dict(zip(cells, row, strict=True))


def _fault(cell: Any, one: options.Column, name: str, config: Table) -> str:
    """Why a cell is no value of its column; empty where it is one."""
    if one.type == "category" and one.role != config.split_by:
        return ""
    if one.type in ("label", "labels"):
        return label_cells.fault(cell, name, several=one.type == "labels")
    if cell is None or not str(cell).strip():
        return f"empty {name!r}"
    if one.type == "number" and not math.isfinite(number(cell)):
        return f"{name!r} is not a finite number: {str(cell)[:40]!r}"
    return ""


def _value(cell: Any, one: options.Column, file: Path, config: Table) -> Any:
    if one.type == "image":
        return str(file.parent / str(cell))
    if one.type == "label":
        return sys.intern(str(reading.word(cell)))
    if one.type == "labels":
        return label_cells.names(cell, config.label_separator)
    return str(cell) if one.type == "text" else cell
