"""Two arms over the seeds both have: trials of one seed share data and order, so their differences are what varies.

Pairing takes out what seeds have in common, which in few-shot studies is most of the spread (Bouthillier et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from tlx.statistics.intervals import NOISE, Estimate, alike, bootstrap_interval, deviation, estimate
from tlx.statistics.power import detectable_difference


@dataclass(frozen=True)
class Comparison:
    """What paired values say of the difference between two arms.

    Args:
        differences: Value minus control, in the order of the seeds; exactly alike where they differ by rounding alone.
        difference: Their mean with Student's interval.
        p: Of the two-sided paired t test; None for fewer than two, and where they are alike: a difference that does
            not vary (17 to 18 and 18 to 19 of 20 right) has no test.
        deviation: The standard deviation of the differences; None for fewer than two, zero where they are alike.
        probability: That a trial has a larger value than one of the control's, ties by half: Mann and Whitney's U over
            the number of pairs (Agarwal et al. 2021). Where less is better, one minus it is that of an improvement.
    """

    differences: tuple[float, ...]
    difference: Estimate
    p: float | None
    deviation: float | None
    probability: float

    @property
    def n(self) -> int:
        """How many seeds both arms have."""
        return len(self.differences)

    @cached_property
    def bootstrap(self) -> tuple[float, float] | None:
        """The bootstrap interval of their mean; None for fewer than three, and where they are alike."""
        return bootstrap_interval(self.differences)

    def detectable(self, power: float = 0.8, alpha: float = 0.05) -> float | None:
        """The smallest true difference that so many seeds show with this power; None where nothing varies."""
        return detectable_difference(self.deviation, self.n, power=power, alpha=alpha) if self.deviation else None


def compare(values: Mapping[int, float], control: Mapping[int, float]) -> Comparison | None:
    """Compare two arms over the seeds both have.

    Args:
        values: Of the arm, by seed. What is not finite leaves nothing to test.
        control: Of the other arm, by seed.

    Returns:
        The comparison; None where they share no seed.
    """
    shared = sorted(values.keys() & control.keys())
    if not shared:
        return None
    mine, theirs = [values[seed] for seed in shared], [control[seed] for seed in shared]
    largest = max(map(abs, (*mine, *theirs)))
    differences = [a - b for a, b in zip(mine, theirs, strict=True)]
    if alike(differences, largest):  # but for the rounding of the numbers that they are of
        middle = sorted(differences)[len(shared) // 2]
        differences = [0.0 if abs(middle) <= NOISE * largest else middle] * len(shared)
    spread = deviation(differences) if len(shared) > 1 else math.nan
    varies = 0 < spread < math.inf
    found = estimate(differences)
    return Comparison(
        differences=tuple(differences),
        difference=found,
        p=2 * float(stats.t.sf(abs(found.mean) / spread * math.sqrt(found.n), found.n - 1)) if varies else None,
        deviation=spread if math.isfinite(spread) else None,
        probability=_probability(mine, theirs, NOISE * largest if math.isfinite(largest) else 0.0),
    )


def _probability(mine: list[float], theirs: list[float], noise: float) -> float:
    """How often a value of the first is larger than one of the second, over all pairs."""
    apart = np.subtract.outer(mine, theirs)
    return float(np.mean(np.where(np.abs(apart) <= noise, 0.5, np.heaviside(apart, 0.5))))
