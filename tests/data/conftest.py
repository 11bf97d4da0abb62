"""Shared by the data tests: what a source holds, and ``datasets`` in the test's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pytest

from tlx.columns import Image, Label, Labels
from tlx.columns.reading import Indices, Values
from tlx.config.dataset import Dataset
from tlx.data.module import read
from tlx.data.source import Source


@pytest.fixture
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for ``datasets`` that no other test has filled."""
    cache = tmp_path / "datasets_cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    return cache


def load(config: Dataset) -> Source:
    """The source behind a configuration, as a trial reads it."""
    return read(config)


def inputs(source: Source) -> Values:
    """The values of its one input."""
    (column,) = (column for column in source.columns if column.role == "input")
    return source.rows[column.name]


def target(source: Source) -> Label | Labels:
    """Its one target, of classes."""
    (column,) = (column for column in source.columns if column.role == "target")
    assert isinstance(column, (Label, Labels))
    return column


def classes(source: Source) -> list[str]:
    """The names of its classes, in order."""
    return list(target(source).classes)


def labels(source: Source) -> npt.NDArray[Any]:
    """The classes of its examples as numbers, once it is encoded."""
    found = source.rows[target(source).name]
    assert isinstance(found, np.ndarray)
    return found


def words(source: Source, indices: Indices | None = None) -> list[str]:
    """The class name of each example, or of some."""
    chosen = labels(source) if indices is None else labels(source)[indices]
    return [classes(source)[label] for label in chosen]


def channels(source: Source) -> int:
    """Channels of its images."""
    (column,) = (column for column in source.columns if isinstance(column, Image))
    return column.channels
