"""Intervals against scipy's own and the paper's formula, and what is said when there is nothing to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tlx.statistics.intervals import alike, bootstrap_interval, deviation, estimate, prediction_interval

FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize("n", [2, 5, 30])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_is_students(n: int, level: float) -> None:
    values = np.random.default_rng(n).normal(0.8, 0.1, n)
    found = estimate(list(values), level)
    oracle = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert found.mean == pytest.approx(values.mean())
    assert found.half == pytest.approx((oracle.high - oracle.low) / 2)
    assert not found.is_degenerate


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=6), st.integers(-300, 100))
def test_small_and_large_values_are_as_good_as_others(counts: list[int], exponent: int) -> None:
    scale = 10.0**exponent
    found, plain = estimate([scale * count for count in counts]), estimate([float(count) for count in counts])
    assert (found.clear, found.is_degenerate) == (plain.clear, plain.is_degenerate)
    assert (found.half or 0) / scale == pytest.approx(plain.half or 0)
    resampled = bootstrap_interval([scale * count for count in counts])
    oracle = bootstrap_interval([float(count) for count in counts])
    assert (resampled is None) == (oracle is None)
    if resampled and oracle:
        assert np.divide(resampled, scale) == pytest.approx(oracle, abs=1e-6)


def test_one_value_has_no_interval_and_none_is_an_error() -> None:
    found = estimate([0.5])
    assert (found.low, found.high, found.half, found.clear, found.is_degenerate) == (None, None, None, False, False)
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_clear_means_zero_is_outside() -> None:
    assert estimate([1.0, 1.1, 0.9]).clear
    assert not estimate([1.0, -1.0, 0.5]).clear
    assert estimate([-1.0, -1.1, -0.9]).clear


@given(FINITE, st.integers(2, 9), st.integers(-1, 1))
def test_values_alike_have_no_interval(value: float, n: int, last_bit: int) -> None:
    values = [value] * (n - 1) + [value * (1 + last_bit * 2.0**-24)]
    found = estimate(values)
    assert (found.low, found.high, found.half, found.clear, found.is_degenerate) == (None, None, None, False, True)
    assert deviation(values) == 0
    assert bootstrap_interval(values) is None
    middle, half = prediction_interval(values)
    assert half == 0
    assert min(values) <= middle <= max(values)


def test_rounding_is_that_of_the_numbers_values_come_from() -> None:
    assert alike([1e-9, 2e-9], magnitude=1.0)
    assert not alike([1e-9, 2e-9])
    assert not alike([0.85, 0.85001])


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_interval(broken: float) -> None:
    for values in ([1.0, 2.0, broken], [broken, 1.0, 1.0], [broken] * 3):
        found = estimate(values)
        assert (found.low, found.high, found.clear) == (None, None, False)
        assert not math.isfinite(found.mean)
        assert bootstrap_interval(values) is None


@given(st.lists(FINITE, min_size=2, max_size=8))
def test_the_order_of_values_changes_no_bit(values: list[float]) -> None:
    turned = [*values[1:], values[0]]
    assert estimate(turned) == estimate(values)
    assert deviation(turned) == deviation(values)
    assert bootstrap_interval(turned) == bootstrap_interval(values)


@pytest.mark.parametrize("n", [3, 6, 25])
def test_the_bootstrap_is_efrons(n: int) -> None:
    values = np.random.default_rng(n).exponential(1.0, n)
    found = bootstrap_interval(list(values))
    assert found == pytest.approx(_bca(values), abs=0.03)


def _bca(values: np.ndarray) -> np.ndarray:
    """Efron 1987, written out: percentiles moved by bias correction and acceleration."""
    drawn = np.random.default_rng(1).choice(values, (40_000, len(values))).mean(axis=1)
    below = (np.mean(drawn < values.mean()) + np.mean(drawn <= values.mean())) / 2
    bias, z = stats.norm.ppf(below), stats.norm.ppf([0.025, 0.975])
    left_out = np.array([np.delete(values, i).mean() for i in range(len(values))])
    apart = left_out.mean() - left_out
    acceleration = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    return np.asarray(np.quantile(drawn, stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))))


def test_two_values_have_no_bootstrap() -> None:
    assert bootstrap_interval([1.0, 2.0]) is None


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_prediction_interval_is_students_for_one_more(n: int) -> None:
    values = np.random.default_rng(n).normal(0.8, 0.1, n)
    middle, half = prediction_interval(list(values))
    oracle = stats.t.interval(0.95, n - 1, values.mean(), values.std(ddof=1) * math.sqrt(1 + 1 / n))
    assert (middle - half, middle + half) == pytest.approx(oracle)
    with pytest.raises(ValueError, match="fewer than two"):
        prediction_interval([1.0])
