"""One temperature for all outputs, fitted on validation so that probabilities come true (Guo et al. 2017).

The loss is convex in 1 / temperature, so its only minimum is where the derivative changes its sign: found by bisection,
in 64 bits and by numpy alone, so that the same outputs give the same number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
LEAST, MOST = 0.01, 100.0
_STEPS = 28  # halvings of the range: the logarithm is then right to 4e-8


@dataclass(frozen=True)
class Temperature:
    """What outputs are divided by, and what that does to the loss that it is fitted on.

    Args:
        value: What they are divided by.
        before: The loss at 1.
        after: The loss at ``value``.
        why_not: Why it is not fitted, and 1; empty where it is.
    """

    value: float
    before: float
    after: float
    why_not: str = ""


def of_one_label(logits: npt.NDArray[Any], labels: npt.NDArray[Any], counts: npt.NDArray[Any] | None) -> Temperature:
    """Fit to the cross entropy of classes.

    Args:
        logits: [examples, classes].
        labels: Classes [examples].
        counts: How much each example counts [examples]; None: all alike.
    """
    above = np.asarray(logits, dtype=np.float64)
    above = above - above.max(1, keepdims=True)
    right = above[np.arange(len(labels)), labels]
    shares = _shares(counts, len(labels))

    def loss(inverse: float) -> tuple[float, float]:
        weights = np.exp(inverse * above)
        sums = weights.sum(1)
        value = float((shares * (np.log(sums) - inverse * right)).sum())
        return value, float((shares * ((weights * above).sum(1) / sums - right)).sum())

    return _fitted(loss)


def of_several_labels(
    logits: npt.NDArray[Any], labels: npt.NDArray[Any], counts: npt.NDArray[Any] | None
) -> Temperature:
    """Fit one temperature to the binary cross entropy of all labels.

    Args:
        logits: [examples, labels].
        labels: 1, 0 and NaN for unknown [examples, labels].
        counts: How much each example counts [examples]; None: all alike.
    """
    known = ~np.isnan(labels)
    sign = np.where(np.nan_to_num(labels)[known] == 1, 1.0, -1.0)
    margins = sign * np.asarray(logits, dtype=np.float64)[known]
    rows = np.repeat(np.arange(len(labels)), known.sum(1))
    shares = _shares(None if counts is None else np.asarray(counts)[rows], len(margins))

    def loss(inverse: float) -> tuple[float, float]:
        value = float((shares * np.logaddexp(0.0, -inverse * margins)).sum())
        return value, float((shares * -margins * np.exp(-np.logaddexp(0.0, inverse * margins))).sum())

    return _fitted(loss)


def _shares(counts: npt.NDArray[Any] | None, count: int) -> Values:
    if counts is None:
        return np.full(count, 1 / max(1, count))
    weights = np.asarray(counts, dtype=np.float64)
    return weights / (weights.sum() or 1.0)


def _fitted(loss: Callable[[float], tuple[float, float]]) -> Temperature:
    """The temperature where the derivative of the loss is 0.

    Where it is 0 nowhere, outputs stay as they are: the end of the range says nothing of other examples, and would have
    them all as sure, or as unsure, as can be.
    """
    before, slope = loss(1.0)
    if slope == 0:
        return Temperature(1.0, before, before)
    low, high = math.log(LEAST), math.log(MOST)  # of the temperature
    if loss(1 / LEAST)[1] <= 0:
        return Temperature(1.0, before, before, f"the loss falls down to temperature {LEAST:g}: no mistake")
    if loss(1 / MOST)[1] >= 0:
        return Temperature(1.0, before, before, f"the loss falls up to temperature {MOST:g}: no better than chance")
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if loss(math.exp(-middle))[1] > 0:  # smaller inverses are better
            low = middle
        else:
            high = middle
    value = float(np.float32(math.exp((low + high) / 2)))  # as the network keeps it
    return Temperature(value, before, loss(1 / value)[0])
