"""Which columns a table has: those that the configuration declares, or those that are found in its file."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tlx.columns import KINDS, Column, Image
from tlx.columns.number import number
from tlx.config import dataset_parts as options
from tlx.config.dataset import Table
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.groups import GROUP
from tlx.data.sources.rows import Rows

Columns = Mapping[str, options.Column]


def declared(config: Table) -> Columns | None:
    """The columns that the configuration names; None where they are found in the file."""
    if config.columns:
        found = dict(sorted(config.columns.items()))  # in whatever order they are written, the same trial
    elif config.modality == "table":
        return None
    else:
        found = {config.input: options.Column(type=config.modality)}
        if not config.labels:
            kind = "labels" if config.label_separator else config.label_type
            found[config.label] = options.Column(type=kind, role="target")
    return found | {name: one for name, one in known_of(config).items() if name not in found}


def known_of(config: Table) -> Columns:
    """The columns by which splits are cut."""
    named = {config.group.column: "group", config.time: "time"}
    return {name: options.Column(type="category", role=role) for name, role in named.items() if name is not None}


def option_of(config: Table, name: str) -> str:
    """The option that names a column by which splits are cut; empty where none does."""
    if name in config.columns:
        return ""
    return "dataset.group.column" if name == config.group.column else "dataset.time" if name == config.time else ""


def inferred(config: Table, train: Rows) -> tuple[Columns, list[str]]:
    """Types from the cells of train, and a note on each."""
    kind = "labels" if config.label_separator else config.label_type
    found, known = dict[str, options.Column](), known_of(config)
    for name, cells in train.cells.items():
        if name in config.labels:
            continue
        if name in known:
            found[name] = known[name]
        elif name == config.label and not config.labels:
            found[name] = options.Column(type=kind, role="target")
        else:
            there = [cell for cell in cells if cell is not None and str(cell).strip()]
            numbers = bool(there) and all(math.isfinite(number(cell)) for cell in there)  # rows without one are told
            found[name] = options.Column(type="number" if numbers else "category")
    said = ", ".join(f"{name} ({one.type})" for name, one in found.items())
    left = [f"columns left out: {', '.join(train.left_out)}"] if train.left_out else []
    return found, [f"columns as found in train: {said}", *left]


def refuse_names_taken_twice(config: Table, wanted: Columns) -> None:
    """Columns that tlx makes need names of their own; raises :class:`DataError`."""
    problems = []
    if config.labels and config.label in wanted:
        message = "the target made of dataset.labels is called so, as is a column; choose another name"
        problems.append(ConfigIssue("dataset.label", message, config.label))
    if config.group.pattern is not None and GROUP in wanted:
        message = f"makes a column {GROUP!r}, and there is one; name it in dataset.group.column, or call it otherwise"
        problems.append(ConfigIssue("dataset.group.pattern", message, config.group.pattern))
    if problems:
        raise DataError(problems)


def column(name: str, one: options.Column, config: Table) -> Column:
    """The column of an example, as it is declared."""
    kind = KINDS[one.type]
    role = one.role or ("target" if one.type in ("label", "labels") else "input")
    if kind is Image:
        return Image(name, role=role, band_files=band_files_of(config, one))  # type: ignore[arg-type]
    return kind(name, role=role)  # type: ignore[arg-type]


def band_files_of(config: Table, one: options.Column) -> str:
    """What the files of a column's images are called; empty where each is one file."""
    return one.band_files or config.band_files or ""
