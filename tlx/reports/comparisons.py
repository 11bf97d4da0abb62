"""Every comparison of a study, and the words for it: "better" and "worse" hold for all of them at once.

The comparisons with the control, at all points, are one family: of words that follow from p-values adjusted by Holm,
one or more are false in at most 5 % of studies in which nothing differs. Pairs of arms are a family of their own, and
an arm is marked as the best of a point only where both families show it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tlx.runs.metric import Metric
from tlx.statistics.comparison import Comparison, compare
from tlx.statistics.equivalence import equivalence_p
from tlx.statistics.intervals import Estimate
from tlx.statistics.multiplicity import holm

ALPHA = 0.05
Verdict = Literal["better", "worse", "equivalent", "open"]
Scores = Mapping[tuple[str, Any], Mapping[int, float]]  # by arm and point: test scores by seed


@dataclass(frozen=True)
class Pair:
    """An arm and another, at one point.

    Args:
        p: Of the comparison, adjusted by Holm over its family; None where it cannot be tested.
        equivalence: The p-value of both one-sided tests within the study's margin, adjusted alike; None without one.
        crossed: The interval over new seeds and new test examples; None where it is not known.
    """

    arm: str
    other: str
    point: Any
    comparison: Comparison
    p: float | None = None
    equivalence: float | None = None
    crossed: Estimate | None = None

    def verdict(self, metric: Metric) -> Verdict:
        """What is shown of ``arm`` against ``other``, all comparisons of the family considered."""
        if self.p is not None and self.p < ALPHA:
            return "better" if metric.sign * self.comparison.difference.mean > 0 else "worse"
        return "equivalent" if self.equivalence is not None and self.equivalence < ALPHA else "open"

    def improvement(self, metric: Metric) -> float:
        """The probability that a run of ``arm`` is better than one of ``other``, ties by half."""
        return self.comparison.probability if metric.goal == "max" else 1 - self.comparison.probability


def with_control(scores: Scores, arms: Sequence[str], points: Sequence[Any], control: str) -> list[Pair]:
    """Each arm against the control at each point; only those that share a seed with it."""
    pairs = [_pair(scores, arm, control, point) for arm in arms if arm != control for point in points]
    return _adjusted([pair for pair in pairs if pair is not None])


def all_pairs(scores: Scores, arms: Sequence[str], points: Sequence[Any]) -> list[Pair]:
    """Each arm against each that comes after it, at each point."""
    pairs = [_pair(scores, arm, other, point) for point in points for arm, other in itertools.combinations(arms, 2)]
    return _adjusted([pair for pair in pairs if pair is not None])


def within_margin(pairs: Sequence[Pair], margin: float) -> list[Pair]:
    """The same with the test of equivalence."""
    found = holm([equivalence_p(pair.comparison.differences, margin) for pair in pairs])
    return [replace(pair, equivalence=p) for pair, p in zip(pairs, found, strict=True)]


def best_arm(point: Any, gains: Sequence[Pair], pairs: Sequence[Pair], control: str, metric: Metric) -> str | None:
    """The arm that is shown to be better than every other one at a point; None where none is."""
    here = [pair for pair in pairs if pair.point == point]
    for arm in dict.fromkeys(name for pair in here for name in (pair.arm, pair.other)):
        mine = [pair for pair in here if arm in (pair.arm, pair.other)]
        wins = all(pair.verdict(metric) == ("better" if pair.arm == arm else "worse") for pair in mine)
        words = [pair for pair in gains if pair.point == point and (arm in (control, pair.arm))]
        shown = all(pair.verdict(metric) == ("worse" if arm == control else "better") for pair in words)
        if mine and words and wins and shown:
            return arm
    return None


def _pair(scores: Scores, arm: str, other: str, point: Any) -> Pair | None:
    found = compare(scores.get((arm, point), {}), scores.get((other, point), {}))
    return None if found is None else Pair(arm, other, point, found)


def _adjusted(pairs: list[Pair]) -> list[Pair]:
    found = holm([pair.comparison.p for pair in pairs])
    return [replace(pair, p=p) for pair, p in zip(pairs, found, strict=True)]
