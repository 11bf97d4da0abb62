"""Values that are read one by one, and values that are a tensor already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tlx.columns.reading import Indices, Item, Readable, Reading, Values


def stacked(prepared: Values) -> torch.Tensor:
    """Values of one shape as a tensor [examples, ...]."""
    if isinstance(prepared, np.ndarray):
        return torch.from_numpy(prepared)
    return torch.stack([torch.as_tensor(one) for one in prepared])


def content(values: Values, indices: Indices) -> str:
    """A hash of values in their order: arrays by their bytes, files by their names below the folder that holds all."""
    if isinstance(values, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(values[indices]).tobytes()).hexdigest()[:32]
    chosen = [values[i] for i in indices] if isinstance(values, list) else []
    if not all(isinstance(value, (str, Path)) for value in chosen):
        return ""
    names = [str(value) for value in chosen]
    above = len(os.path.commonpath(names)) if len({os.path.isabs(name) for name in names}) == 1 else 0
    return hashlib.sha256("\n".join(name[above:] for name in names).encode(errors="surrogateescape")).hexdigest()[:32]


class OneByOne:
    """Values that are read and prepared when they are asked for."""

    is_ready = False
    is_light = False

    def __init__(self, column: Readable, values: Values, indices: Indices, reading: Reading) -> None:
        self.column, self.values, self.indices, self.reading = column, values, indices, reading

    def take(self, items: Sequence[Item]) -> Any:
        """Read, prepare and collate."""
        read = (self.column.read(self.values[self.indices[at]], self.reading.limits) for _, at in items)
        return self.column.collate([self.column.prepare(one, self.reading) for one in read], self.reading)

    def facts(self) -> Mapping[str, Any]:
        """The column, its values, and what the network expects of it."""
        known = {"column": self.column.settings(), "values": content(self.values, self.indices)}
        return {**known, "transform": repr(self.reading.spec)}


class InMemory:
    """Values that are a tensor already."""

    is_ready = True
    is_light = True

    def __init__(self, column: Readable, tensor: torch.Tensor) -> None:
        self.column, self.tensor = column, tensor

    def take(self, items: Sequence[Item]) -> torch.Tensor:
        """Look them up."""
        return self.at(torch.tensor([at for _, at in items]))

    def at(self, positions: torch.Tensor) -> torch.Tensor:
        """The values at these positions of the split."""
        return self.tensor.index_select(0, positions)

    def facts(self) -> Mapping[str, Any]:
        """The column, with what it learned, and its values."""
        return {
            "column": self.column.settings(),
            "values": hashlib.sha256(self.tensor.numpy().tobytes()).hexdigest()[:32],
        }
