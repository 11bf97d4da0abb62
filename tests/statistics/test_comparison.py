"""Paired comparisons against scipy's tests; ties, rounding and what diverged show nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from tests.statistics.counts import tied
from tlx.statistics.comparison import Comparison, compare
from tlx.statistics.equivalence import equivalence_p

BY_SEED = st.dictionaries(st.integers(0, 9), st.floats(-100, 100), min_size=1)


def compared(values: dict[int, float], control: dict[int, float]) -> Comparison:
    found = compare(values, control)
    assert found is not None
    return found


@pytest.mark.parametrize("n", [2, 5, 20])
def test_a_comparison_is_scipys_of_pairs(n: int) -> None:
    rng = np.random.default_rng(n)
    control = rng.normal(0.8, 0.1, n)
    values = control + rng.normal(0.02, 0.03, n)
    found = compared(dict(enumerate(values)), dict(enumerate(control)))
    oracle = stats.ttest_rel(values, control)
    interval = oracle.confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.deviation == pytest.approx(np.std(values - control, ddof=1))
    assert (found.n, found.difference.n) == (n, n)
    assert (found.bootstrap is None) == (n < 3)
    power = TTestPower().solve_power(effect_size=None, nobs=n, alpha=0.05, power=0.8)
    assert found.detectable() == pytest.approx(power * found.deviation, rel=1e-4)


def test_pairing_is_by_seed_over_shared_seeds() -> None:
    found = compared({0: 0.9, 1: 0.8, 3: 0.1}, {1: 0.7, 0: 0.6, 2: 0.0})
    assert found.differences == pytest.approx((0.3, 0.1))
    assert found.p == pytest.approx(stats.ttest_rel([0.9, 0.8], [0.6, 0.7]).pvalue)
    assert compare({0: 1.0}, {1: 1.0}) is None


def test_one_seed_has_a_difference_and_no_more() -> None:
    found = compared({4: 0.9}, {4: 0.7})
    assert found.difference.mean == pytest.approx(0.2)
    assert (found.difference.low, found.bootstrap, found.p, found.deviation, found.detectable()) == (None,) * 5


@given(tied())
def test_a_difference_that_does_not_vary_shows_nothing(arms: tuple[dict[int, float], dict[int, float]]) -> None:
    found = compared(*arms)
    assert found.difference.is_degenerate
    assert not found.difference.clear
    assert (found.difference.low, found.bootstrap, found.p, found.detectable()) == (None,) * 4
    assert found.deviation == 0
    assert equivalence_p(found.differences, 0.5) is None


def test_one_example_more_on_one_seed_is_no_tie() -> None:
    right = np.array([17, 18, 18]) / 20, np.array([18, 19, 20]) / 20
    found = compared(dict(enumerate(right[1])), dict(enumerate(right[0])))
    assert found.p == pytest.approx(stats.ttest_rel(right[1], right[0]).pvalue)
    assert found.difference.low is not None


@given(BY_SEED, BY_SEED)
def test_the_probability_is_mann_and_whitneys(values: dict[int, float], control: dict[int, float]) -> None:
    values, control = ({seed: float(round(value)) for seed, value in one.items()} for one in (values, control))
    found = compare(values, control)
    if found is None:
        return
    shared = sorted(values.keys() & control.keys())
    mine, theirs = [values[seed] for seed in shared], [control[seed] for seed in shared]
    assert found.probability == pytest.approx(stats.mannwhitneyu(mine, theirs).statistic / len(shared) ** 2)


@given(BY_SEED, BY_SEED, st.permutations(range(10)))
def test_seeds_may_have_any_numbers(values: dict[int, float], control: dict[int, float], named: list[int]) -> None:
    found = compare(values, control)
    other = compare({named[s]: v for s, v in values.items()}, {named[s]: v for s, v in control.items()})
    if found is None:
        assert other is None
        return
    assert other is not None
    assert (other.difference, other.bootstrap, other.deviation) == (found.difference, found.bootstrap, found.deviation)
    assert other.p == pytest.approx(found.p)
    assert other.probability == found.probability


@given(BY_SEED, BY_SEED)
def test_the_other_way_round_it_says_the_opposite(values: dict[int, float], control: dict[int, float]) -> None:
    found, other = compare(values, control), compare(control, values)
    if found is None or other is None:
        assert found is other
        return
    assert other.difference.mean == pytest.approx(-found.difference.mean)
    assert other.p == pytest.approx(found.p)
    assert other.probability == pytest.approx(1 - found.probability)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_diverged_shows_nothing(broken: float) -> None:
    for values in ({0: broken, 1: 0.5, 2: 0.6}, {0: 0.5, 1: 0.6, 2: broken}):
        found = compared(values, {0: 0.4, 1: 0.5, 2: 0.4})
        assert not math.isfinite(found.difference.mean)
        assert (found.difference.low, found.bootstrap, found.p, found.deviation, found.detectable()) == (None,) * 5
