"""Two one-sided tests against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from tlx.statistics.equivalence import equivalence_p
from tlx.statistics.intervals import estimate


@pytest.mark.parametrize("n", [2, 5, 20])
@pytest.mark.parametrize("mean", [-0.4, 0.0, 0.1])
@pytest.mark.parametrize("margin", [0.05, 0.3])
def test_the_p_value_is_statsmodels(n: int, mean: float, margin: float) -> None:
    differences = np.random.default_rng(n).normal(mean, 0.1, n)
    found = equivalence_p(list(differences), margin)
    assert found == pytest.approx(ttost_paired(differences, np.zeros(n), -margin, margin)[0])
    assert found is not None
    within = estimate(list(differences), 0.9)
    assert within.low is not None
    assert within.high is not None
    assert (found < 0.05) == (-margin < within.low and within.high < margin)  # the 90 % interval says the same


def test_without_variance_nothing_is_tested() -> None:
    assert equivalence_p([], 0.1) is None
    assert equivalence_p([0.0], 0.1) is None
    assert equivalence_p([0.01, 0.01, 0.01], 0.1) is None


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan")])
def test_a_margin_lies_above_zero(margin: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        equivalence_p([0.1, 0.2], margin)
