"""Matthews' correlation of classes, as Gorodkin (2004) generalises it."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix


class Matthews(MulticlassConfusionMatrix):
    """As scikit-learn has it: 0 where labels or predictions are all alike, which torchmetrics has not for two."""

    confmat: Tensor

    def update(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in a batch: probabilities [examples, classes] and classes [examples]; no device is waited for."""
        pairs = labels * outputs.shape[1] + outputs.argmax(1)
        self.confmat.view(-1).index_add_(0, pairs, torch.ones_like(pairs, dtype=self.confmat.dtype))

    def compute(self) -> Tensor:
        """The correlation; NaN where there is no example."""
        pairs = self.confmat.cpu().double()
        there, taken, count = pairs.sum(1), pairs.sum(0), pairs.sum()
        if count == 0:
            return torch.tensor(torch.nan)
        spread = (count**2 - there @ there) * (count**2 - taken @ taken)
        return (pairs.trace() * count - there @ taken) / spread.sqrt() if spread > 0 else torch.tensor(0.0)
