"""The mean over seeds and test examples when both are samples: every seed's model answers the same examples.

An interval over seeds says what other seeds give on these very examples; one over examples, what these very models give
on others. Medical imaging has the same layout, where readers look at the same cases (Obuchowski & Rockette 1995; Hillis
2007).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from tlx.statistics.intervals import LEVEL, NOISE, Estimate


def crossed_interval(differences: ArrayLike, level: float = LEVEL) -> Estimate:
    """Estimate a mean that generalises to new seeds and new test examples alike.

    In ``y = mu + seed + example + residual``, all three random, the mean's variance is ``(MS_seed + MS_example -
    MS_residual) / (n m)``, with Satterthwaite's degrees of freedom. Where that is less than seeds or examples alone
    give (an estimated variance component is negative), the larger of those two stands, with its own degrees of freedom.
    Examples count as independent: where they come in groups (patients, speakers), the interval is too narrow. Of
    two seeds it holds the mean in 88 to 96 of 100 cases, of three or more in 93 to 97.

    Args:
        differences: An array [n seeds, m examples]: how much better each seed's model answers each example than the
            control's of that seed; for accuracy 1, 0 or -1.
        level: How often such intervals hold the true mean.

    Returns:
        The mean and its interval, with ``n`` the number of seeds; no interval for one seed or one example, and where
        nothing varies.

    Raises:
        ValueError: It is no table, or an empty one.
    """
    table = np.asarray(differences, float)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"expected an array [seeds, examples] with values, got the shape {list(table.shape)}")
    n, m = table.shape
    mean, largest = float(table.mean()), float(np.abs(table).max())
    if n == 1 or m == 1 or not math.isfinite(mean) or np.ptp(table) <= NOISE * largest:
        return Estimate(mean, None, None, n)
    variance, freedom = _variance(*mean_squares(table / largest), n - 1, m - 1)
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * math.sqrt(variance / (n * m)) * largest
    return Estimate(mean, mean - half, mean + half, n)


def mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    """The mean squares of rows, columns and residuals of a table with two or more of each."""
    n, m = table.shape
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    mean = table.mean()
    residuals = table - rows - columns + mean
    return (
        float(m * ((rows - mean) ** 2).sum() / (n - 1)),
        float(n * ((columns - mean) ** 2).sum() / (m - 1)),
        float((residuals**2).sum() / ((n - 1) * (m - 1))),
    )


def _variance(seed: float, example: float, residual: float, n: int, m: int) -> tuple[float, float]:
    """``n m`` times the mean's variance and its degrees of freedom, from mean squares with n and m of them."""
    both, larger = seed + example - residual, max(seed, example)
    if both > larger * (1 + NOISE):
        return both, both**2 / (seed**2 / n + example**2 / m + residual**2 / (n * m))
    return larger, min(freedom for square, freedom in ((seed, n), (example, m)) if square >= larger * (1 - NOISE))
