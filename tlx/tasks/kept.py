"""What a metric needs of all examples at once: outputs and targets, kept until it is computed."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class Kept(Metric):
    """Outputs and targets of every batch, of all processes."""

    outputs: list[Tensor] | Tensor
    targets: list[Tensor] | Tensor

    def __init__(self, width: int) -> None:
        """``width``: of an example's outputs, and of its targets."""
        super().__init__()
        self.width = width
        self.add_state("outputs", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch [examples, ...]."""
        assert isinstance(self.outputs, list)
        assert isinstance(self.targets, list)
        self.outputs.append(outputs.detach())
        self.targets.append(targets.detach())

    def compute(self) -> tuple[Tensor, Tensor]:
        """All outputs and all targets, of which torchmetrics may take a dimension of one away."""
        if not isinstance(self.outputs, Tensor) and not self.outputs:
            return torch.empty(0), torch.empty(0)
        return dim_zero_cat(self.outputs), dim_zero_cat(self.targets)

    def everything(self) -> tuple[Tensor, Tensor]:
        """All outputs and all targets [examples, width]."""
        outputs, targets = self.compute()
        return outputs.reshape(-1, self.width), targets.reshape(-1, self.width)
