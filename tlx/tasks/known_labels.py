"""Metrics of several labels that are means over those that are known of some example."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchmetrics.classification import MultilabelStatScores

from tlx.tasks import multilabel

Score = Callable[[Tensor, Tensor, Tensor], Tensor]  # of right, falsely and not predicted ones, each [labels]


class MeanOverKnown(MultilabelStatScores):
    """The mean of a score over labels; of one that is unknown everywhere torchmetrics takes 0, as if all were wrong."""

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor

    def __init__(self, score: Score, labels: int) -> None:
        super().__init__(labels, multilabel.THRESHOLD, average=None, ignore_index=-1)
        self._score = score

    def compute(self) -> Tensor:
        """The mean; NaN where nothing is known."""
        known = (self.tp + self.fp + self.fn + self.tn) > 0
        return self._score(self.tp, self.fp, self.fn)[known].mean()


def precision(right: Tensor, falsely: Tensor, missed: Tensor) -> Tensor:
    """Of what is predicted, how much is there; 0 where nothing is predicted."""
    return _share(right, right + falsely)


def recall(right: Tensor, falsely: Tensor, missed: Tensor) -> Tensor:
    """Of what is there, how much is predicted; 0 where nothing is there."""
    return _share(right, right + missed)


def fbeta(beta: float) -> Score:
    """Precision and recall in one, recall counting ``beta`` times as much."""

    def score(right: Tensor, falsely: Tensor, missed: Tensor) -> Tensor:
        both = (1 + beta**2) * right
        return _share(both, both + beta**2 * missed + falsely)

    return score


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.where(whole > 0, 1)
