"""The numbers and categories of a table as one vector: nothing is learned by gradients, everything is of train."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.columns import Category, Column, Number


class Tabular(nn.Module):
    """Standardised numbers and one-hot categories side by side, in the order of the columns.

    A category that train has not is all zeros.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        """``columns``: numbers and categories that were fitted on train."""
        super().__init__()
        self.sizes: dict[str, int] = {}  # 0 for a number
        numbers = []
        for name, column in columns.items():
            if isinstance(column, Number):
                self.sizes[name] = 0
                numbers.append((column.mean, column.deviation))
            elif isinstance(column, Category):
                self.sizes[name] = len(column.categories)
            else:
                raise TypeError(f"expected numbers and categories, found {name!r} ({column.kind})")
        self.register_buffer("mean", torch.tensor([mean for mean, _ in numbers], dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor([deviation for _, deviation in numbers], dtype=torch.float32))

    @property
    def width(self) -> int:
        """Length of the vector."""
        return sum(size or 1 for size in self.sizes.values())

    def forward(self, **columns: Tensor) -> Tensor:
        """[examples] of each column to [examples, width]."""
        found, number = [], 0
        means, deviations = self.get_buffer("mean"), self.get_buffer("deviation")
        for name, size in self.sizes.items():
            value = columns[name]
            if size:
                found.append(F.one_hot(value, size + 1)[:, 1:].to(means.dtype))
            else:
                scaled = (value.to(means.dtype) - means[number]) / deviations[number]
                found.append(scaled.unsqueeze(1))
                number += 1
        return torch.cat(found, dim=1)
