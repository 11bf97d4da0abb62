"""Intervals against scipy's own, and what is said when there is nothing to say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tlx.reports.statistics import estimate, median_censored, paired, steps_to


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_interval_is_students(n: int) -> None:
    values = np.random.default_rng(n).normal(0.8, 0.1, n)
    found = estimate(list(values))
    oracle = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert found.mean == pytest.approx(values.mean())


def test_one_value_has_no_interval() -> None:
    found = estimate([0.5])
    assert (found.low, found.high, found.half, found.clear) == (None, None, None, False)


def test_pairing_is_by_seed_over_shared_seeds() -> None:
    ours, control = {0: 0.9, 1: 0.8, 3: 0.1}, {1: 0.7, 0: 0.6, 2: 0.0}
    found = paired(ours, control)
    oracle = stats.ttest_rel([0.9, 0.8], [0.6, 0.7]).confidence_interval(0.95)
    assert found is not None
    assert found.n == 2
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_clear_means_zero_is_outside() -> None:
    assert estimate([1.0, 1.1, 0.9]).clear
    assert not estimate([1.0, -1.0, 0.5]).clear
    assert estimate([-1.0, -1.1, -0.9]).clear


def test_steps_to_target_is_the_first_and_may_be_never() -> None:
    curve = [(10, 0.5), (20, 0.91), (30, 0.89), (40, 0.95)]
    assert steps_to(curve, 0.9, "max") == 20
    assert steps_to(curve, 0.96, "max") is None
    below = [(step, -value) for step, value in curve]
    assert steps_to(below, -0.9, "min") == 20
    assert steps_to(below, -0.96, "min") is None


def test_the_median_of_censored_steps() -> None:
    assert median_censored([10, None, 20]) == 20
    assert median_censored([10, None, None]) is None
    assert median_censored([30, 10, 20]) == 20
