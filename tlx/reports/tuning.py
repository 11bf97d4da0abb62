"""What tuning tried, what it found along the way, and whether the best lies at the edge of what was tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlx.reports.study_record import Tried


@dataclass(frozen=True)
class TuningFinding:
    """The candidates of a cell.

    Args:
        tried: Trials that tuned, failed ones included.
        failed: Those of them that have no result.
        candidates: Different ones.
        best_so_far: Of the validation metric after one candidate, two, ... in the order in which they are written.
        edges: What to try as well where the best candidate is the first or the last of its values, a line each.
        cpu: Seconds of the trials that are reported nowhere else.
    """

    tried: int
    failed: int
    candidates: int
    best_so_far: tuple[float, ...]
    edges: tuple[str, ...]
    cpu: float


def finding(
    tried: Sequence[Tried],
    tune: Mapping[str, Sequence[Any]],
    chosen: Sequence[Mapping[str, Any]],
    measure: tuple[str, float],
    reported: frozenset[str],
) -> TuningFinding:
    """What tuning a cell has shown.

    Args:
        tried: Its trials.
        tune: Key -> values.
        chosen: What was chosen, for all seeds or for each.
        measure: The validation metric, and 1 where more of it is better, else -1.
        reported: Identities of trials whose cost is counted elsewhere.
    """
    name, sign = measure
    of_each: dict[str, list[float]] = {}
    for one in tried:
        value = one.result.metrics.get(name) if one.result is not None else None
        of_each.setdefault(repr(dict(one.values)), []).append(math.nan if value is None else sign * value)
    best, so_far = -math.inf, []
    for values in of_each.values():
        mean = sum(values) / len(values)
        best = mean if mean > best else best
        so_far.append(sign * best)
    own = [one.result for one in tried if one.result is not None and one.result.identity not in reported]
    return TuningFinding(
        tried=len(tried),
        failed=sum(one.result is None for one in tried),
        candidates=len(of_each),
        best_so_far=tuple(so_far),
        edges=tuple(dict.fromkeys(line for values in chosen for line in edges(tune, values))),
        cpu=sum(result.cpu_seconds for result in own),
    )


def edges(tune: Mapping[str, Sequence[Any]], chosen: Mapping[str, Any]) -> list[str]:
    """What to try as well, where a chosen number is the least or the largest of those tried.

    Args:
        tune: Key -> values.
        chosen: Key -> the value that was chosen.
    """
    found = []
    for key, value in chosen.items():
        values = tune.get(key, ())
        numbers = sorted(one for one in values if isinstance(one, (int, float)) and not isinstance(one, bool))
        if len(numbers) < 2 or len(numbers) != len(values) or value not in (numbers[0], numbers[-1]):
            continue
        low = value == numbers[0]
        end, inner = (numbers[0], numbers[1]) if low else (numbers[-1], numbers[-2])
        found.append(
            f"{key} = {value:g} is the {'least' if low else 'largest'} that was tried: try {_beyond(end, inner)}"
        )
    return found


def _beyond(end: float, inner: float) -> str:
    """One step further: by the ratio of the last two, or by their difference where one is not above zero."""
    further = end * end / inner if end > 0 and inner > 0 else 2 * end - inner
    if isinstance(end, int) and isinstance(inner, int):
        further = round(further)
        further = further if further != end else 2 * end - inner
    return f"{further:.2g} as well" if further > 0 or end <= 0 else "a finer grid"
