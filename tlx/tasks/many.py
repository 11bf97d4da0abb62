"""Classification by many heads at once: their losses, and their metrics, in one go each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification.accuracy import multiclass_accuracy
from torchmetrics.functional.classification.f_beta import multiclass_f1_score


def losses(logits: Tensor, labels: Tensor, smoothing: Tensor) -> Tensor:
    """Cross entropy [heads] of logits [heads, examples, classes] and labels [heads, examples], each head's smoothing.

    As ``F.cross_entropy(label_smoothing=...)``: a share of the target is spread over all classes evenly.
    """
    logs = F.log_softmax(logits, dim=-1)
    right = -logs.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(1)
    return (1 - smoothing) * right - smoothing * logs.mean((1, 2))


class ManyClassifiers:
    """Heads of one label each, which differ in their label smoothing."""

    def __init__(self, smoothing: Sequence[float]) -> None:
        self._smoothing = torch.tensor(smoothing)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy [heads] of logits [heads, examples, classes] and labels [heads, examples]."""
        if self._smoothing.device != outputs.device or self._smoothing.dtype != outputs.dtype:
            self._smoothing = self._smoothing.to(outputs)
        return losses(outputs, targets, self._smoothing)

    def metrics(self, outputs: Tensor, targets: Tensor) -> list[dict[str, float | None]]:
        """Loss, accuracy and macro F1 of each head."""
        return metric_values(outputs, targets)


def metric_values(logits: Tensor, labels: Tensor) -> list[dict[str, float | None]]:
    """Loss, accuracy and macro F1 of each head; logits [heads, examples, classes], labels [examples]."""
    heads, _, classes = logits.shape
    target = labels.expand(heads, -1)
    chosen = logits.argmax(-1)
    loss = losses(logits, target, torch.zeros(heads, dtype=logits.dtype, device=logits.device)).tolist()
    f1 = multiclass_f1_score(
        chosen, target, classes, average="macro", multidim_average="samplewise", validate_args=False
    ).tolist()
    acc = multiclass_accuracy(
        chosen, target, classes, average="micro", multidim_average="samplewise", validate_args=False
    ).tolist()
    return [{"loss": a, "f1_macro": b, "acc": c} for a, b, c in zip(loss, f1, acc, strict=True)]
