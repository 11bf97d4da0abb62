"""Metrics of one label per example that are made of counts of each class.

torchmetrics counts by a matrix of all pairs of classes: that has a GPU waited for at every batch and, beside
``torch.use_deterministic_algorithms``, takes memory for the matrix once for each example. Here each class is counted
by itself; what is made of the counts is torchmetrics' own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import (
    MulticlassF1Score,
    MulticlassFBetaScore,
    MulticlassPrecision,
    MulticlassRecall,
    MulticlassStatScores,
)


class _ByClass(MulticlassStatScores):
    """How they count."""

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor

    def update(self, outputs: Tensor, labels: Tensor) -> None:
        """Take in a batch: logits or probabilities [examples, classes], and classes [examples]."""
        classes = torch.arange(outputs.shape[1], device=outputs.device)
        taken, true = outputs.argmax(1, keepdim=True) == classes, labels.unsqueeze(1) == classes
        right, chosen, there = (taken & true).sum(0), taken.sum(0), true.sum(0)
        counts = {"tp": right, "fp": chosen - right, "fn": there - right, "tn": len(labels) - chosen - there + right}
        for name, count in counts.items():
            state = getattr(self, name)
            state += count.sum() if self.average == "micro" else count


class F1(_ByClass, MulticlassF1Score):
    """F1 of ``num_classes``, averaged as ``average`` says."""

    def __init__(self, num_classes: int, average: Any = "macro") -> None:
        super().__init__(num_classes, average=average, validate_args=False)


class FBeta(_ByClass, MulticlassFBetaScore):
    """F-beta, recall counting ``beta`` times as much."""

    def __init__(self, beta: float, num_classes: int, average: Any = "macro") -> None:
        super().__init__(beta, num_classes, average=average, validate_args=False)


class Precision(_ByClass, MulticlassPrecision):
    """Precision."""

    def __init__(self, num_classes: int, average: Any = "macro") -> None:
        super().__init__(num_classes, average=average, validate_args=False)


class Recall(_ByClass, MulticlassRecall):
    """Recall."""

    def __init__(self, num_classes: int, average: Any = "macro") -> None:
        super().__init__(num_classes, average=average, validate_args=False)
