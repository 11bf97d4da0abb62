"""The Brier score: how far probabilities are from what is true, in squares (Brier 1950)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric


class BrierScore(Metric):
    """As scikit-learn has it: summed over classes, half of that for two; of several labels the mean over known ones."""

    total: Tensor
    count: Tensor

    def __init__(self, classes: int | None = None, labels: int = 1) -> None:
        """``classes``: how many, of one label per example; None for several labels, as many as ``labels``."""
        super().__init__()
        self.classes = classes
        self.add_state("total", torch.zeros(labels), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(labels, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, target: Tensor) -> None:
        """Take in a batch: probabilities [examples, classes], and classes [examples] or 0, 1 and -1 for unknown."""
        if self.classes is not None:
            squares = (probabilities - F.one_hot(target, self.classes)).square().sum(1)
            self.total += squares.sum() / (2 if self.classes == 2 else 1)
            self.count += len(target)
        else:
            known = target >= 0
            self.total += ((probabilities - target).square() * known).sum(0)
            self.count += known.sum(0)

    def compute(self) -> Tensor:
        """The mean; NaN where there is nothing to take one of."""
        known = self.count > 0
        return (self.total[known] / self.count[known]).mean()
