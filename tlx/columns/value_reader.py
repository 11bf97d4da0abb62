"""Values that are read one by one, and values that are a tensor already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from tlx.columns.reading import Indices, Item, Readable, Reading, Values


def stacked(prepared: Values) -> torch.Tensor:
    """Values of one shape as a tensor [examples, ...]."""
    if isinstance(prepared, np.ndarray):
        return torch.from_numpy(prepared)
    return torch.stack([torch.as_tensor(one) for one in prepared])


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
        """The column and what the network expects of it."""
        return {"column": self.column.settings(), "transform": repr(self.reading.spec)}


class InMemory:
    """Values that are a tensor already."""

    is_ready = True
    is_light = True

    def __init__(self, column: Readable, tensor: torch.Tensor) -> None:
        self.column, self.tensor = column, tensor

    def take(self, items: Sequence[Item]) -> torch.Tensor:
        """Look them up."""
        return self.tensor[torch.tensor([at for _, at in items])]

    def facts(self) -> Mapping[str, Any]:
        """The column, with what it learned."""
        return {"column": self.column.settings()}
