"""Did it come out the same? ``bitwise`` > ``equal`` > ``within noise`` > ``different``; or the old one is ``altered``.

- bitwise: weights, predictions and every metric to the last bit;
- equal: every metric of the result within 1e-6;
- within noise: the same settings, data and weights, and each metric inside the interval in which a further repetition's
  would lie with 95 % chance, from at least three runs of this very trial (itself and its repetitions):
  ``mean +- t(0.975, n - 1) s sqrt(1 + 1/n)`` (the prediction interval of a normal value); other seeds are other trials;
- different: none of these;
- altered: the old run's record is not what was written, or contradicts itself (:mod:`tlx.provenance.integrity`), so
  that there is nothing to be the same as.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlx.provenance.compare import Row
from tlx.runs.result import Result, hashes, read_result
from tlx.statistics.intervals import prediction_interval
from tlx.tracking import event_log

BITWISE, EQUAL, NOISE, DIFFERENT, ALTERED = "bitwise", "equal", "within noise", "different", "altered"
TOLERANCE, RUNS = 1e-6, 3
_NAMED = 3  # changes or contradictions that are named one by one


@dataclass(frozen=True)
class Verdict:
    """The grade, and what it rests on."""

    grade: str
    reason: str


@dataclass(frozen=True)
class Circumstances:
    """What a verdict takes into account beside the two runs.

    Args:
        contradictions: Of the old run's record.
        settings: That were changed for the repetition.
        inputs: That are others than they were: data, weights, code.
        cache: The folder of kept features that the repetition read; empty where it computed everything.
        old_read_cache: The old run read kept features.
        repetitions: Gives the results of the old run and its earlier repetitions; asked only where they are needed.
    """

    contradictions: Sequence[str] = ()
    settings: Sequence[Row] = ()
    inputs: Sequence[Row] = ()
    cache: str = ""
    old_read_cache: bool = False
    repetitions: Callable[[], Iterable[Result]] = tuple


_USUAL = Circumstances()


def of_runs(old: Path, new: Path, around: Circumstances = _USUAL) -> Verdict:
    """Grade a finished run against the one it repeats."""
    then, now = read_result(old), read_result(new)
    first_difference = event_log.first_difference(event_log.metrics(old), event_log.metrics(new))
    same = json.dumps(then.metrics, sort_keys=True) == json.dumps(now.metrics, sort_keys=True)
    if same and then.steps == now.steps and first_difference is None and hashes(old) == hashes(new):
        reason = f"weights, predictions and {len(then.metrics)} metrics are the same to the last bit"
        return _told(BITWISE, reason, around)
    worst = max((_distance(then.metrics.get(name), now.metrics.get(name)), name) for name in then.metrics | now.metrics)
    apart = f"{worst[1]} is {worst[0]:.3g} off" if worst[0] else "the metrics are the same, other bits are not"
    where = f"; the event logs part at {first_difference}" if first_difference is not None else ""
    if worst[0] <= TOLERANCE:
        return _told(EQUAL, f"{apart}{where}", around)
    if around.settings or around.inputs or around.contradictions:  # it is no repetition of the same
        return _told(DIFFERENT, f"{apart}{where}", around)
    return _against_noise(now, list(around.repetitions()), apart, where, around)


def of_beginnings(old: Path, new: Path, around: Circumstances = _USUAL) -> Verdict:
    """Grade a run that was stopped early by the rows both have."""
    then, now = event_log.metrics(old), event_log.metrics(new)
    shared = min(len(then), len(now))
    first_difference = event_log.first_difference(then[:shared], now[:shared])
    if not shared:
        return _told(DIFFERENT, "it was stopped before its first metrics: nothing can be compared", around)
    last = now[shared - 1]["step"]
    if first_difference is None:
        return _told(BITWISE, f"every metric up to step {last} is the same to the last bit", around)
    worst = max(
        _distance(a["values"].get(name), b["values"].get(name))
        for a, b in zip(then[:shared], now[:shared], strict=True)
        for name in {**a["values"], **b["values"]}
    )
    grade = EQUAL if worst <= TOLERANCE else DIFFERENT
    reason = f"up to step {last} metrics are up to {worst:.3g} off; the event logs part at {first_difference}"
    return _told(grade, reason, around)


def of_altered(contradictions: Sequence[str]) -> Verdict:
    """Grade a run whose result is not what was written: there is nothing a repetition could be compared with."""
    return Verdict(ALTERED, f"{_listed(contradictions)}; so it was not run again")


def _against_noise(now: Result, runs: Sequence[Result], apart: str, where: str, around: Circumstances) -> Verdict:
    if len(runs) < RUNS:
        more = RUNS - len(runs)
        known = "how far repeated runs of this trial lie apart is not known; repeat it "
        known += f"{more} more time{'s' if more > 1 else ''}"
        return _told(DIFFERENT, f"{apart}{where}; {known}", around)
    names = dict.fromkeys(name for run in (now, *runs) for name in run.metrics)
    outside = [name for name in names if not _within(now.metrics.get(name), [run.metrics.get(name) for run in runs])]
    if outside:
        reason = f"{apart}; {outside[0]} is outside what {len(runs)} runs of this trial differ by{where}"
        return _told(DIFFERENT, reason, around)
    return _told(NOISE, f"{apart}, inside what {len(runs)} runs of this trial differ by{where}", around)


def _told(grade: str, reason: str, around: Circumstances) -> Verdict:
    """The verdict with what has to be known beside it."""
    if around.settings:
        reason += f"; settings were changed: {_listed([row.change for row in around.settings], ', ')}"
    if around.inputs:
        reason += f"; it was made of something else: {_listed([row.change for row in around.inputs], ', ')}"
    if around.cache:
        reason += f"; with the feature cache of {around.cache}"
    elif around.old_read_cache and grade != BITWISE:
        reason += "; the old run read kept features, which this one computed"
    if around.contradictions:
        return Verdict(ALTERED, f"{_listed(around.contradictions)}; against what is there it is {grade}: {reason}")
    return Verdict(grade, reason)


def _listed(items: Sequence[str], between: str = "; ") -> str:
    more = f"{between}and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return between.join(items[:_NAMED]) + more


def _distance(a: float | None, b: float | None) -> float:
    if a == b or (_is_nan(a) and _is_nan(b)):
        return 0.0
    if a is None or b is None or _is_nan(a) or _is_nan(b):
        return math.inf
    return abs(a - b)


def _is_nan(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def _within(value: float | None, runs: Sequence[float | None]) -> bool:
    found = [one for one in runs if one is not None]
    if value is None or len(found) != len(runs):
        return value is None and not found
    center, half = prediction_interval(found)
    return abs(value - center) <= half
