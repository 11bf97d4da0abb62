"""Power against statsmodels, and against draws where its distribution gives up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from tlx.statistics.power import detectable_difference, seeds_needed

LEVELS = [(0.05, 0.8), (0.05, 0.95), (0.1, 0.5), (0.2, 0.3)]


@pytest.mark.parametrize(("alpha", "power"), LEVELS)
@pytest.mark.parametrize("n", [3, 5, 30, 1000])
def test_the_detectable_difference_is_statsmodels(n: int, alpha: float, power: float) -> None:
    oracle = TTestPower().solve_power(effect_size=None, nobs=n, alpha=alpha, power=power)
    assert detectable_difference(1.4, n, power=power, alpha=alpha) == pytest.approx(1.4 * oracle, rel=1e-4)


@pytest.mark.parametrize(("alpha", "power"), LEVELS)
@pytest.mark.parametrize("effect", [0.1, 0.5, 1.0, 2.0])
def test_the_seeds_needed_are_the_least_that_suffice(effect: float, alpha: float, power: float) -> None:
    n = seeds_needed(1.4, -1.4 * effect, power=power, alpha=alpha)
    found = [TTestPower().power(effect, one, alpha) for one in (n - 1, n) if one > 1]
    assert found[-1] >= power
    assert n == 2 or found[0] < power


@given(st.floats(1e-3, 1e3), st.integers(2, 1000), st.floats(1e-6, 0.4), st.floats(0.41, 0.999))
def test_both_ways_agree_and_scale(deviation: float, n: int, alpha: float, power: float) -> None:
    difference = detectable_difference(deviation, n, power=power, alpha=alpha)
    assert difference is not None
    assert difference == pytest.approx(deviation * (detectable_difference(1.0, n, power=power, alpha=alpha) or 0))
    assert seeds_needed(deviation, difference * (1 + 1e-6), power=power, alpha=alpha) <= n
    assert seeds_needed(deviation, difference * (1 - 1e-3), power=power, alpha=alpha) >= n


def test_two_seeds_at_a_strict_level_need_an_enormous_difference() -> None:
    difference = detectable_difference(1.0, 2, power=0.8, alpha=1e-5)
    assert difference is not None
    drawn = np.random.default_rng(0).normal(difference, 1.0, (20_000, 2))
    t = drawn.mean(axis=1) / (np.abs(drawn[:, 0] - drawn[:, 1]) / 2)
    assert np.mean(t > stats.t.isf(0.5e-5, 1)) == pytest.approx(0.8, abs=0.01)


def test_what_has_no_answer() -> None:
    assert detectable_difference(1.0, 1) is None
    assert seeds_needed(0.0, 0.1) == 2
    with pytest.raises(ValueError, match="difference of zero"):
        seeds_needed(1.0, 0.0)
    with pytest.raises(ValueError, match="not negative"):
        detectable_difference(-1.0, 5)
    with pytest.raises(ValueError, match="alpha < power"):
        seeds_needed(1.0, 1.0, power=0.05, alpha=0.05)
