"""The numbers and categories of a table as one vector, in which nothing is learned by gradients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.columns import Category, Column, Number
from tlx.columns.input_spec import InputSpec, ValueSpec
from tlx.config.errors import ConfigError, ConfigIssue


class Tabular(nn.Module):
    """Numbers, which come standardised, and one-hot categories side by side, in the order of the columns.

    A category that train has not is all zeros.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        """``columns``: fitted on train; those of other kinds are left to others.

        Raises:
            ConfigError: There is no number and no category among them.
        """
        super().__init__()
        self.reads: dict[str, str] = {}  # argument to column; they differ in the one name that Python needs
        self.sizes: dict[str, int | None] = {}  # by argument; None for a number, which needs no more than itself
        for name, column in columns.items():
            if not isinstance(column, (Number, Category)):
                continue
            argument = "self (column)" if name == "self" else name
            self.reads[argument] = name
            self.sizes[argument] = len(column.categories) if isinstance(column, Category) else None
        if not self.reads:
            there = ", ".join(f"{name!r} ({column.kind})" for name, column in columns.items()) or "none"
            message = f"it reads numbers and categories; the inputs of the data are {there}"
            raise ConfigError([ConfigIssue("backbone", message)])

    @property
    def takes(self) -> dict[str, InputSpec]:
        """What it expects of each of its columns, by argument."""
        return {
            argument: ValueSpec("number" if size is None else "category", self.reads[argument])
            for argument, size in self.sizes.items()
        }

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
