"""F1, AUROC and average precision of several labels, each over the examples of which it is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision, binary_f1_score

THRESHOLD = 0.5  # a label is predicted above it: one whose probability is exactly this is not, as in torchmetrics


def positive(probabilities: Tensor) -> Tensor:
    """Which labels are predicted: of each probability, is it above the threshold?"""
    return probabilities > THRESHOLD


def values(scores: Tensor, targets: Tensor) -> dict[str, float | None]:
    """Means over labels, of those that are defined: a label without positives has no AUROC and no AP.

    Args:
        scores: Probabilities [examples, labels].
        targets: 1, 0, and -1 for unknown [examples, labels].

    Returns:
        ``f1_macro``, ``auroc_macro``, ``ap_macro``, None where no label has one, and ``undefined_labels``, how many
        have no AUROC.
    """
    known = [targets[:, label] >= 0 for label in range(targets.shape[1])]
    pairs = [(scores[rows, label], targets[rows, label]) for label, rows in enumerate(known)]
    decided = [(positive(some).int(), target) for some, target in pairs if len(target)]
    positives = [int(target.sum()) for _, target in pairs]
    both = [pair for pair, count in zip(pairs, positives, strict=True) if 0 < count < len(pair[1])]
    return {
        "f1_macro": _mean(binary_f1_score, decided),
        "auroc_macro": _mean(binary_auroc, both),
        "ap_macro": _mean(binary_average_precision, [p for p, count in zip(pairs, positives, strict=True) if count]),
        "undefined_labels": float(len(pairs) - len(both)),
    }


def _mean(metric: Callable[[Tensor, Tensor], Tensor], pairs: Sequence[tuple[Tensor, Tensor]]) -> float | None:
    found = [float(metric(scores, target)) for scores, target in pairs]
    kept = [value for value in found if math.isfinite(value)]
    return sum(kept) / len(kept) if kept else None
