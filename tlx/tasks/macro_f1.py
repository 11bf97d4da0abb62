"""Macro F1 of one label per example."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.classification.f_beta import MulticlassF1Score


class MacroF1(MulticlassF1Score):
    """torchmetrics' own, counted class by class.

    Its own way to count goes by a matrix of all pairs of classes, and has a GPU waited for at every batch; beside
    ``torch.use_deterministic_algorithms`` it takes memory for that matrix once for each example.
    """

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__(classes, average="macro", validate_args=False)
        self._classes = classes

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Take in a batch: logits [examples, classes] and classes [examples]."""
        classes = torch.arange(self._classes, device=logits.device)
        taken, true = logits.argmax(1, keepdim=True) == classes, labels.unsqueeze(1) == classes
        right, chosen, there = (taken & true).sum(0), taken.sum(0), true.sum(0)
        self.tp += right
        self.fp += chosen - right
        self.fn += there - right
        self.tn += len(labels) - chosen - there + right
