"""The Brier score: how far probabilities are from what is true, in squares (Brier 1950)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric


class BrierScore(Metric):
    """As scikit-learn has it: summed over classes, half of that for two; the mean over known labels of several."""

    total: Tensor
    count: Tensor

    def __init__(self, classes: int | None = None) -> None:
        """``classes``: how many, of one label per example; None for several labels."""
        super().__init__()
        self.classes = classes
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, target: Tensor) -> None:
        """Take in a batch: probabilities [examples, classes], and classes [examples] or 0, 1 and -1 for unknown."""
        if self.classes is not None:
            truth, known = F.one_hot(target, self.classes), torch.ones_like(target, dtype=torch.bool)
            squares = (probabilities - truth).square().sum(1) / (2 if self.classes == 2 else 1)
        else:
            known = target >= 0
            squares = (probabilities - target).square()
        self.total += squares[known].sum()
        self.count += known.sum()

    def compute(self) -> Tensor:
        """The mean; NaN where there is nothing to take one of."""
        return self.total / self.count
