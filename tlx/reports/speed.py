"""How fast an arm learns: between which validations it became as good as a target, which some never do.

A curve is known at its validations alone, so the step at which it crossed is known to lie between two of them (interval
censoring). Arms that are validated at other steps differ by that much without any difference between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tlx.runs.metric import Goal


@dataclass(frozen=True)
class Crossing:
    """The target was reached after step ``after`` and at ``by`` at the latest."""

    after: int
    by: int

    def __str__(self) -> str:
        return f"{self.after + 1}–{self.by}"


def crossing(curve: Sequence[tuple[int, float]], target: float, goal: Goal) -> Crossing | None:
    """Between which validations a curve became as good as ``target``; None if it never was (censored)."""
    before = 0
    for step, value in curve:
        if value >= target if goal == "max" else value <= target:
            return Crossing(before, step)
        before = step
    return None


def median_crossing(found: Sequence[Crossing | None]) -> Crossing | None:
    """The median over seeds, counting "never" as later than anything; None when that is the median.

    Of an even number the upper of the two middle ones; each end of the interval has its own median.
    """
    middle = len(found) // 2
    ends = sorted(math.inf if one is None else one.by for one in found)
    if math.isinf(ends[middle]):
        return None
    starts = sorted(math.inf if one is None else one.after for one in found)
    return Crossing(int(starts[middle]), int(ends[middle]))
