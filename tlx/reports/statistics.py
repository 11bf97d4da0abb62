"""Means with intervals, and paired comparisons: Student's t on seeds, as n is small and differences are paired.

The interval of a mean over n seeds is ``mean +- t(0.975, n - 1) s / sqrt(n)`` (Student 1908). With one seed there is
no interval, and none is made up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t as student

from tlx.runs.metric import Goal

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` seeds with its 95 % interval; ``low`` and ``high`` are None when n is 1."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half(self) -> float | None:
        """Half the interval's width."""
        return None if self.high is None else self.high - self.mean

    @property
    def clear(self) -> bool:
        """Does the interval leave out zero? (values all alike have no interval worth the name)"""
        return (
            self.low is not None and self.high is not None and self.low < self.high and (self.low > 0 or self.high < 0)
        )


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent values; raises :class:`ValueError` without any."""
    n = len(values)
    if n == 0:
        raise ValueError("no values")
    mean = sum(values) / n
    if n == 1:
        return Estimate(mean, None, None, 1)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(student.ppf(0.5 + LEVEL / 2, n - 1)) * deviation / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """The middle, and half the width, of where one more independent value would lie with 95 % chance; of two or more.

    ``t(0.975, n - 1) s sqrt(1 + 1/n)``: half the mean's interval times ``sqrt(n + 1)``.
    """
    found = estimate(values)
    if found.half is None:
        raise ValueError("one value says nothing of the next")
    return found.mean, found.half * math.sqrt(found.n + 1)


def paired(values: Mapping[int, float], control: Mapping[int, float]) -> Estimate | None:
    """The mean difference over the seeds both have; None when they share none."""
    shared = sorted(values.keys() & control.keys())
    return estimate([values[seed] - control[seed] for seed in shared]) if shared else None


def steps_to(curve: Sequence[tuple[int, float]], target: float, goal: Goal) -> int | None:
    """The first validated step at which the curve is as good as ``target``; None if it never is (censored)."""
    return next((step for step, value in curve if (value >= target if goal == "max" else value <= target)), None)


def median_censored(values: Sequence[int | None]) -> int | None:
    """The median, counting "never" as larger than anything; None when that is the median. The upper of two middles."""
    ordered = sorted(math.inf if value is None else value for value in values)
    middle = ordered[len(ordered) // 2]
    return None if math.isinf(middle) else int(middle)
