"""Metrics that are means over the classes that are there: one that no example has is neither right nor wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from tlx.tasks.kept import Kept


class MeanRecall(Metric):
    """Balanced accuracy: the mean recall of the classes that are there."""

    right: Tensor
    there: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.add_state("right", torch.zeros(classes, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("there", torch.zeros(classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, target: Tensor) -> None:
        """Take in a batch: probabilities [examples, classes] and classes [examples]."""
        true = target.unsqueeze(1) == torch.arange(probabilities.shape[1], device=target.device)
        is_right = probabilities.argmax(-1, keepdim=True) == target.unsqueeze(1)
        self.right += (true & is_right).sum(0)
        self.there += true.sum(0)

    def compute(self) -> Tensor:
        """The mean; NaN where there is no example."""
        known = self.there > 0
        return (self.right[known] / self.there[known]).mean()


class OneAgainstRest(Kept):
    """The mean over classes of a score of each against the others, of those that have both examples and others."""

    def __init__(self, score: Callable[[Tensor, Tensor], Tensor], classes: int) -> None:
        """``score``: of chances and of 0 or 1 [examples]."""
        super().__init__(classes)
        self._score = score

    def compute(self) -> Tensor:  # type: ignore[override]
        """The mean; NaN where no class has one."""
        probabilities, target = super().compute()
        chances, found = probabilities.reshape(-1, self.width), []
        for number, count in enumerate(torch.bincount(target.reshape(-1).long(), minlength=self.width).tolist()):
            if 0 < count < len(chances):
                found.append(self._score(chances[:, number], (target.reshape(-1) == number).int()))
        return torch.stack(found).mean() if found else torch.tensor(torch.nan)
