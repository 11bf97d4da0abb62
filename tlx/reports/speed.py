"""How fast an arm learns: the steps until validation is as good as a target, which some never reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tlx.runs.metric import Goal


def steps_to(curve: Sequence[tuple[int, float]], target: float, goal: Goal) -> int | None:
    """The first validated step at which the curve is as good as ``target``; None if it never is (censored)."""
    return next((step for step, value in curve if (value >= target if goal == "max" else value <= target)), None)


def median_censored(values: Sequence[int | None]) -> int | None:
    """The median, counting "never" as larger than anything; None when that is the median. The upper of two middles."""
    ordered = sorted(math.inf if value is None else value for value in values)
    middle = ordered[len(ordered) // 2]
    return None if math.isinf(middle) else int(middle)
