"""The candidates of an arm, and which of them validation prefers. The test set is never looked at for a choice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tlx.reports.study_record import Tried
from tlx.runs.result import Result


def candidates(tune: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The product of the values to try; one empty candidate when there is nothing to tune."""
    return [dict(zip(tune, values, strict=True)) for values in itertools.product(*tune.values())]


def best(tried: Sequence[Tried], tune: dict[str, list[Any]], tune_on: str) -> dict[str, Any] | None:
    """The candidate with the best mean over the seeds that tune; of equals, the first.

    Args:
        tried: Every candidate with every seed that tunes.
        tune: As the arm has it.
        tune_on: ``loss`` or ``score``.

    Returns:
        What it sets; None where each candidate has failed, or is without the metric, with one seed or more.
    """
    found: list[tuple[float, dict[str, Any]]] = []
    for values in candidates(tune):
        merits = [merit(one.result, tune_on) for one in tried if one.values == values]
        if merits and None not in merits:
            found.append((sum(one for one in merits if one is not None) / len(merits), values))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def merit(result: Result | None, tune_on: str) -> float | None:
    """Larger is better; None where there is no result, or the metric is undefined."""
    if result is None:
        return None
    if tune_on == "loss":
        loss = result.metrics.get("val/loss")
        return None if loss is None else -loss
    score = result.metrics.get(f"val/{result.primary.name}")
    return None if score is None else result.primary.sign * score
