"""Aggregates against rliable's formulas, and intervals against every resample there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlx.statistics.aggregate import aggregate_interval, interquartile_mean


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_the_interquartile_mean_is_that_of_the_middle_half(values: list[float]) -> None:
    cut = len(values) // 4
    assert interquartile_mean(values) == pytest.approx(np.mean(sorted(values)[cut : len(values) - cut]))


def test_rows_are_aggregated_one_by_one() -> None:
    table = np.random.default_rng(0).normal(size=(6, 9))
    assert interquartile_mean(table, axis=-1) == pytest.approx([interquartile_mean(row) for row in table])
    assert interquartile_mean(table) == pytest.approx(interquartile_mean(list(table.ravel())))


def test_runs_are_drawn_within_their_task() -> None:
    tasks = {"a": [0.0, 1.0, 5.0], "b": [10.0, 10.5]}
    every = [np.mean(a + b) for a in product(tasks["a"], repeat=3) for b in product(tasks["b"], repeat=2)]
    assert aggregate_interval(tasks, np.mean) == pytest.approx(np.quantile(every, [0.025, 0.975]), abs=0.15)
    assert aggregate_interval(tasks, np.mean, 0.5) == pytest.approx(np.quantile(every, [0.25, 0.75]), abs=0.15)


def test_it_is_rliables_stratified_bootstrap() -> None:
    scores = np.random.default_rng(1).normal(np.arange(7), 1.0, (10, 7))  # as rliable has them: runs x tasks
    rng = np.random.default_rng(2)
    drawn = [np.concatenate([rng.choice(scores[:, task], 10) for task in range(7)]) for _ in range(1500)]
    middle = np.sort(drawn, axis=1)[:, 17:53].mean(axis=1)
    found = aggregate_interval({task: list(scores[:, task]) for task in range(7)})
    assert found == pytest.approx(np.percentile(middle, [2.5, 97.5]), abs=0.06)


@given(st.lists(st.lists(st.floats(-10, 10), min_size=2, max_size=4), min_size=1, max_size=3))
def test_neither_order_nor_names_change_a_bit(tasks: list[list[float]]) -> None:
    turned = {name: values[::-1] for name, values in enumerate(reversed(tasks))}
    assert aggregate_interval(turned) == aggregate_interval(dict(enumerate(tasks)))


def test_without_variation_there_is_no_interval() -> None:
    assert aggregate_interval({}) is None
    assert aggregate_interval({"a": [1.0, 2.0], "b": [3.0]}) is None
    assert aggregate_interval({"a": [1.0, 1.0], "b": [3.0, 3.0]}) is None
