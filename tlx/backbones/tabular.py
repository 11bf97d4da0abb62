"""The numbers and categories of a table as one vector, in which nothing is learned by gradients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.columns import Category, Column, Number


class Tabular(nn.Module):
    """Numbers, which come standardised, and one-hot categories side by side, in the order of the columns.

    A category that train has not is all zeros.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        """``columns``: numbers and categories that were fitted on train."""
        super().__init__()
        self.reads: dict[str, str] = {}  # argument to column; they differ in the one name that Python needs
        self.sizes: dict[str, int | None] = {}  # by argument; None for a number, which needs no more than itself
        for name, column in columns.items():
            if not isinstance(column, (Number, Category)):
                raise TypeError(f"expected numbers and categories, found {name!r} ({column.kind})")
            argument = "self (column)" if name == "self" else name
            self.reads[argument] = name
            self.sizes[argument] = len(column.categories) if isinstance(column, Category) else None

    @property
    def width(self) -> int:
        """Length of the vector."""
        return sum(1 if size is None else size for size in self.sizes.values())

    def forward(self, **columns: Tensor) -> Tensor:
        """[examples] of each column to [examples, width]."""
        kind = next(
            (columns[name].dtype for name, size in self.sizes.items() if size is None), torch.get_default_dtype()
        )
        found = [
            columns[name].unsqueeze(1) if size is None else F.one_hot(columns[name], size + 1)[:, 1:].to(kind)
            for name, size in self.sizes.items()
        ]
        return torch.cat(found, dim=1)
