"""What comparisons say, in words that say no more."""

from __future__ import annotations

from tlx.reports.comparisons import Pair
from tlx.reports.study_results import StudyResults
from tlx.statistics.power import seeds_needed

_MOST_SEEDS = 1000


def sentence(found: StudyResults, pair: Pair) -> str:
    """What a comparison with the control says: raw interval, and the verdict that all comparisons together allow."""
    where = f"{pair.arm}, {found.axis} = {pair.point}"
    given = pair.comparison.difference
    n = given.n
    if n == 1:
        return f"{where}: {difference(found, given.mean)} on one seed; one seed has no interval."
    if given.low is None or given.high is None:
        return f"{where}: {difference(found, given.mean)} on each of {n} seeds; alike, so there is no test."
    low, high = (found.metric.written(value, signed=True) for value in (given.low, given.high))
    adjusted = f", adjusted p = {probability(pair.p)}" if pair.p is not None else ""
    interval = f"{difference(found, given.mean)}, 95 % interval {low} to {high}, {n} paired seeds{adjusted}"
    verdict = found.verdict(pair)
    if verdict == "open":
        return f"{where}: no difference from {pair.other} shown ({interval})."
    if verdict == "equivalent":
        margin = found.metric.written(found.study.margin or 0.0)
        p = probability(pair.equivalence)
        return f"{where}: equivalent to {pair.other} within ±{margin} (p = {p}; {interval})."
    return f"{where}: {verdict} than {pair.other} ({interval})."


def would_show(found: StudyResults, pair: Pair) -> str:
    """What so many seeds find, and how many it takes to find a difference like this one; empty where nothing varies."""
    least = pair.comparison.detectable()
    if least is None:
        return ""
    n, mean, spread = pair.comparison.n, pair.comparison.difference.mean, pair.comparison.deviation
    text = f"{n} seeds find {found.metric.written(least)}"
    if mean and spread and (needed := seeds_needed(spread, mean)) > n:
        many = f"{needed}" if needed <= _MOST_SEEDS else f"more than {_MOST_SEEDS}"
        text += f"; {found.metric.written(abs(mean))} takes {many}"
    return text


def difference(found: StudyResults, value: float) -> str:
    """``+3.1 points``, or ``-0.02`` of what is no share."""
    return found.metric.written(value, signed=True) + (" points" if found.metric.percent else "")


def probability(p: float | None) -> str:
    """A p-value as it reads."""
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
