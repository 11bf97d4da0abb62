"""Holm's adjustment against statsmodels, and the share of false findings it leaves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tlx.statistics.multiplicity import holm

P = st.floats(0, 1)


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_adjusted_p_values_are_statsmodels(count: int) -> None:
    p_values = list(np.random.default_rng(count).beta(0.3, 2.0, count).round(2))  # some are alike
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@given(st.lists(st.none() | P))
def test_what_cannot_be_tested_counts_as_one_more_without_effect(p_values: list[float | None]) -> None:
    counted = holm([1.0 if p is None else p for p in p_values])
    assert holm(p_values) == [None if p is None else found for p, found in zip(p_values, counted, strict=True)]


@given(st.lists(P, min_size=1), st.permutations(range(50)))
def test_adjusting_keeps_order_and_bounds(p_values: list[float], order: list[int]) -> None:
    found = [p for p in holm(p_values) if p is not None]
    for p, adjusted in zip(p_values, found, strict=True):
        assert min(p_values) * len(p_values) <= adjusted or adjusted == 1
        assert p <= adjusted <= 1
        assert all(adjusted <= other for q, other in zip(p_values, found, strict=True) if p <= q)
    turned = [i for i in order if i < len(p_values)] + list(range(50, len(p_values)))
    assert holm([p_values[i] for i in turned]) == [found[i] for i in turned]


def test_nothing_to_adjust() -> None:
    assert holm([]) == []
    assert holm([None]) == [None]


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_p_values_are_probabilities(wrong: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, wrong])


def test_without_any_effect_one_in_twenty_families_has_a_finding() -> None:
    families = np.random.default_rng(0).uniform(size=(1000, 20))
    assert np.mean(families.min(axis=1) < 0.05) > 0.5
    assert np.mean([min(p for p in holm(list(one)) if p is not None) < 0.05 for one in families]) < 0.07
