"""Splits as a trial has them, of a source that stands by itself."""

from __future__ import annotations

from tlx.columns.reading import Indices
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
