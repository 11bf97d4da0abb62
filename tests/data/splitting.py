"""Splits as a trial has them, of a source that stands by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlx.columns import Category, Label, Number, Text
from tlx.columns.reading import Indices, Values
from tlx.config.dataset import Dataset
from tlx.data import duplicates
from tlx.data.source import Source
from tlx.data.splits import cut, take_shots


def assign(source: Source, config: Dataset, seed: int) -> dict[str, Indices]:
    """Indices of ``train`` (its shots, where asked for), ``val`` and ``test``; raises :class:`DataError`."""
    copies = duplicates.copies_of(source, config)
    splits = take_shots(source, cut(source, config, copies), config, seed)
    duplicates.look(source, splits, config, copies)
    for column in source.columns:
        if column.role == "target":
            source.notes += column.notes(source.rows[column.name], splits)
    return splits


def source(
    labels: Sequence[int] | np.ndarray,
    groups: Sequence[Any] | None = None,
    times: Sequence[Any] | None = None,
    splits: dict[str, Indices] | None = None,
) -> Source:
    """Texts of classes, with who they are of and when they are from."""
    names = tuple(map(str, range(int(max(labels)) + 1)))
    columns: list[Any] = [Text("text"), Label("label", classes=names)]
    values: dict[str, Values] = {"text": [f"text {i}" for i in range(len(labels))], "label": np.asarray(labels)}
    if groups is not None:
        columns, values = [*columns, Category("patient", role="group")], {**values, "patient": list(groups)}
    if times is not None:
        kind = Number("when", role="time") if isinstance(times[0], (int, float)) else Text("when", role="time")
        columns, values = [*columns, kind], {**values, "when": list(times)}
    return Source(columns, values, splits or {}).encoded()


def lists(splits: dict[str, Indices]) -> dict[str, list[int]]:
    """Splits as equality takes them."""
    return {name: found.tolist() for name, found in splits.items()}
