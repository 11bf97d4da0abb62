"""A source of examples, before it is split: the inputs, their labels, and where each came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass
class Source:
    """Examples in a fixed order.

    ``inputs[i]`` is a ``uint8`` array [h, w] or [h, w, c], the path of an image, or a text. ``labels`` are class
    indices [n], or 0/1 floats [n, classes] when several labels are allowed. ``splits`` are those the source brings.
    """

    modality: str
    inputs: Sequence[Any] | npt.NDArray[Any]
    labels: Labels
    classes: list[str]
    splits: dict[str, Indices]
    channels: int = 0
    origin: Callable[[int], str] = field(default=lambda i: f"example {i}")
    notes: list[str] = field(default_factory=list)  # what a person should know: skipped files, empty classes
    sizes: dict[int, tuple[int, int]] = field(
        default_factory=dict
    )  # height and width of the images that were looked at

    @property
    def multilabel(self) -> bool:
        """Are several labels per example allowed?"""
        return self.labels.ndim == 2


@dataclass(frozen=True)
class DataInfo:
    """What a model must know about the data before it is built."""

    modality: str
    classes: tuple[str, ...]
    channels: int
    n_train: int
    n_val: int
    n_test: int
    multilabel: bool = False


@dataclass(frozen=True)
class RowLocation:
    """A row of a file, for messages."""

    file: Path
    row: int

    def __str__(self) -> str:
        return f"{self.file}:{self.row}"


def index_classes(names: Sequence[str], train: Indices) -> tuple[npt.NDArray[np.int64], list[str], list[int]]:
    """One class mapping, made from the training rows: (indices, classes, rows whose class train lacks).

    Classes are sorted by name; where every name is a whole number (of digits that Python reads), by value.
    """
    seen = {names[i] for i in train}
    numeric = all(re.fullmatch(r"-?[0-9]{1,4000}", name) for name in seen)
    classes = sorted(sorted(seen), key=int) if numeric else sorted(seen)  # 1 before 01, in every process
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index.get(name, -1) for name in names], dtype=np.int64)
    return labels, classes, [int(i) for i in np.flatnonzero(labels < 0)]
