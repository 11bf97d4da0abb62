"""The picture of a freezing schedule: which stage trained when, and at what rate."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tlx.reports.heatmap import Span
from tlx.reports.timeline import draw


def of_events(rows: Iterable[Mapping[str, Any]], stages: Sequence[str], steps_per_epoch: int) -> str:
    """What a trial did so far: phases end where the next began, rates are as logged at the validations.

    A ``phase`` event holds ``rates`` and, where known, ``partial``. A further one of the same number, with a later
    start, says that the phase went on with other rates.
    """
    phases: dict[tuple[int, int], Mapping[str, Any]] = {}
    logged: dict[int, float] = {}  # step to the largest rate
    end = 0
    for row in rows:
        if row["event"] == "phase":
            phases[(row["start"], row["number"])] = row
        elif row["event"] == "metrics":
            end = row["step"]
            shown = [v for name, v in row["values"].items() if name.startswith("optim/lr-") and v is not None]
            logged |= {end: max(shown)} if shown else {}
        elif row["event"] == "resume":  # what came after the point it resumes from is done again, at the same rates
            end = row["step"]
            phases = {key: phase for key, phase in phases.items() if key[0] <= end}
    parts = [(*begin, max(begin[0], border)) for begin, (border, _) in pairwise([*sorted(phases), (end, 0)])]
    samples: dict[int, list[tuple[int, float]]] = {}  # of the factor, by phase
    for start, number, stop in parts:
        full = max(phases[(start, number)]["rates"].values(), default=0.0)
        found = [(step - 1, rate / full) for step, rate in sorted(logged.items()) if start < step <= stop and full]
        samples.setdefault(number, []).extend(found)
    spans: list[Span] = []
    for i, (start, number, stop) in enumerate(parts):
        row = phases[(start, number)]
        name = "" if i and parts[i - 1][1] == number else row["name"] or "nothing"
        factor = _through([(step - start, value) for step, value in samples[number]])
        spans.append(Span(start, stop, name, row["rates"], factor, frozenset(row.get("partial", ()))))
    return draw(stages, spans, end, steps_per_epoch, f"What trained when\n{end} steps, rates as logged")


def _through(samples: list[tuple[int, float]]) -> Callable[[int], float]:
    """A line through the samples, level before the first and after the last."""
    if not samples:
        return lambda step: 1.0
    steps, factors = [step for step, _ in samples], [factor for _, factor in samples]

    def factor(step: int) -> float:
        after = bisect(steps, step)
        if after in (0, len(steps)):
            return factors[max(0, after - 1)]
        share = (step - steps[after - 1]) / (steps[after] - steps[after - 1])
        return factors[after - 1] + share * (factors[after] - factors[after - 1])

    return factor
