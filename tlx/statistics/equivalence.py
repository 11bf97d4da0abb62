"""Is a difference too small to matter? That none was shown does not say so."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from tlx.statistics.intervals import deviation, estimate


def equivalence_p(differences: Sequence[float], margin: float) -> float | None:
    """Test that a mean difference lies within a margin of zero, by two one-sided t tests (Schuirmann 1987).

    Args:
        differences: Paired ones, such as those of a :class:`tlx.statistics.comparison.Comparison`.
        margin: The largest difference that does not matter; chosen before the differences are seen.

    Returns:
        The larger of both one-sided p-values: below 0.05, the 90 % interval lies within the margin. None for fewer than
        two differences, and where they are alike.

    Raises:
        ValueError: The margin is not above zero.
    """
    if not margin > 0:
        raise ValueError(f"the margin of an equivalence test lies above zero: {margin}")
    n = len(differences)
    spread = deviation(differences) if n > 1 else 0.0
    if not 0 < spread < math.inf:
        return None
    return float(stats.t.sf((margin - abs(estimate(differences).mean)) / spread * math.sqrt(n), n - 1))
