"""Did it come out the same? ``bitwise`` > ``equal`` > ``within noise`` > ``different``.

- bitwise: weights, predictions and every metric to the last bit;
- equal: every metric of the result within 1e-6;
- within noise: each metric inside the interval in which a further seed's would lie with 95 % chance, from at least
  three seeds that are there: ``mean +- t(0.975, n - 1) s sqrt(1 + 1/n)`` (the prediction interval of a normal value);
- different: none of these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlx.runs.result import Result, hashes, read_result
from tlx.statistics.intervals import prediction_interval
from tlx.tracking import event_log

BITWISE, EQUAL, NOISE, DIFFERENT = "bitwise", "equal", "within noise", "different"
TOLERANCE, SEEDS = 1e-6, 3


@dataclass(frozen=True)
class Verdict:
    """The grade, and what it rests on."""

    grade: str
    reason: str


def of_runs(old: Path, new: Path, siblings: Iterable[Result] = ()) -> Verdict:
    """Grade a finished run against the one it repeats; ``siblings`` are results of the same trial with other seeds."""
    then, now = read_result(old), read_result(new)
    first_difference = event_log.first_difference(event_log.metrics(old), event_log.metrics(new))
    same = json.dumps(then.metrics, sort_keys=True) == json.dumps(now.metrics, sort_keys=True)
    if same and then.steps == now.steps and first_difference is None and hashes(old) == hashes(new):
        return Verdict(BITWISE, f"weights, predictions and {len(then.metrics)} metrics are the same to the last bit")
    worst = max((_distance(then.metrics.get(name), now.metrics.get(name)), name) for name in then.metrics | now.metrics)
    apart = f"{worst[1]} is {worst[0]:.3g} off" if worst[0] else "the metrics are the same, other bits are not"
    where = f"; the event logs part at {first_difference}" if first_difference is not None else ""
    if worst[0] <= TOLERANCE:
        return Verdict(EQUAL, f"{apart}{where}")
    seeds = [then, *siblings]
    outside = [
        name for name in then.metrics if not _within(now.metrics.get(name), [s.metrics.get(name) for s in seeds])
    ]
    if len(seeds) >= SEEDS and not outside:
        return Verdict(NOISE, f"{apart}, inside what {len(seeds)} seeds differ by{where}")
    known = f"; {outside[0]} is outside what {len(seeds)} seeds differ by" if len(seeds) >= SEEDS else ""
    return Verdict(DIFFERENT, f"{apart}{known}{where}")


def of_beginnings(old: Path, new: Path) -> Verdict:
    """Grade a run that was stopped early by the rows both have."""
    then, now = event_log.metrics(old), event_log.metrics(new)
    shared = min(len(then), len(now))
    first_difference = event_log.first_difference(then[:shared], now[:shared])
    if not shared:
        return Verdict(DIFFERENT, "it was stopped before its first metrics: nothing can be compared")
    last = now[shared - 1]["step"]
    if first_difference is None:
        return Verdict(BITWISE, f"every metric up to step {last} is the same to the last bit")
    worst = max(
        _distance(a["values"].get(name), b["values"].get(name))
        for a, b in zip(then[:shared], now[:shared], strict=True)
        for name in {**a["values"], **b["values"]}
    )
    grade = EQUAL if worst <= TOLERANCE else DIFFERENT
    return Verdict(
        grade, f"up to step {last} metrics are up to {worst:.3g} off; the event logs part at {first_difference}"
    )


def _distance(a: float | None, b: float | None) -> float:
    if a == b or (_is_nan(a) and _is_nan(b)):
        return 0.0
    if a is None or b is None or _is_nan(a) or _is_nan(b):
        return math.inf
    return abs(a - b)


def _is_nan(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def _within(value: float | None, seeds: Sequence[float | None]) -> bool:
    found = [one for one in seeds if one is not None]
    if value is None or len(found) != len(seeds) or len(found) < SEEDS:
        return value is None and not found
    center, half = prediction_interval(found)
    return abs(value - center) <= half
