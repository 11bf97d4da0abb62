"""One number for several tasks, as rliable has it (Agarwal et al. 2021: at the edge of the statistical precipice)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tlx.statistics.intervals import LEVEL, RESAMPLES, alike


class Statistic(Protocol):
    """A statistic along one axis of an array: ``numpy.mean``, ``numpy.median``, :func:`interquartile_mean`."""

    def __call__(self, values: Any, /, *, axis: int) -> Any:
        """The statistic of each row, where ``axis`` is the last."""


def interquartile_mean(values: ArrayLike, *, axis: int | None = None) -> Any:
    """The mean of the middle half: a quarter of the values is cut off at each end, in whole values.

    Few outliers do not move it, and it varies less than a median.

    Args:
        values: Runs of all tasks, on one scale.
        axis: Along which; None: of all values.
    """
    return stats.trim_mean(np.asarray(values, float), 0.25, axis=axis)


def aggregate_interval(
    by_task: Mapping[Any, Sequence[float]], statistic: Statistic = interquartile_mean, level: float = LEVEL
) -> tuple[float, float] | None:
    """The percentile interval of a statistic over tasks and runs, by the stratified bootstrap.

    Runs are drawn anew within each task, so it says what other runs on the same tasks would give, and nothing of other
    tasks. Every run counts alike: with one number of runs everywhere, so does every task.

    Args:
        by_task: The values of each task's runs, on one scale.
        statistic: Of the values of all tasks together.
        level: How often such intervals hold the true value, with enough runs.

    Returns:
        Its ends; None without a task, where a task has fewer than two runs, and where no task's runs vary.
    """
    tasks = sorted(sorted(values) for values in by_task.values())
    if not tasks or any(len(values) < 2 for values in tasks) or all(map(alike, tasks)):
        return None
    rng = np.random.default_rng(0)
    drawn = np.hstack([rng.choice(values, (RESAMPLES, len(values))) for values in tasks])
    low, high = np.quantile(statistic(drawn, axis=-1), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
