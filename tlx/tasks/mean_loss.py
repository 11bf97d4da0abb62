"""The mean loss of a validation."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """The mean of losses, each of so many examples or so much weight, of all processes; NaN where nothing counts.

    It sums as torchmetrics' ``MeanMetric`` does, but asks nobody whether a loss is NaN: that would wait for the device
    at every batch.
    """

    total: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("weight", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, loss: Tensor, weight: float | Tensor) -> None:
        """Take in the mean loss of a batch, and what it is a mean of."""
        counts = weight.to(self.total) if isinstance(weight, Tensor) else weight
        self.total += loss.to(self.total) * counts
        self.weight += counts

    def compute(self) -> Tensor:
        """The mean."""
        return self.total / self.weight
