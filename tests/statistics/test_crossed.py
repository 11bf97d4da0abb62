"""Intervals over seeds and examples: mean squares against least squares, coverage by draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlx.statistics.crossed import crossed_interval, mean_squares
from tlx.statistics.intervals import estimate


def drawn(rng: np.random.Generator, shape: tuple[int, int], seed: float, example: float) -> np.ndarray:
    """Differences with a true mean of zero, and deviations of seeds and examples beside a residual one of 1."""
    n, m = shape
    return seed * rng.normal(size=(n, 1)) + example * rng.normal(size=(1, m)) + rng.normal(size=shape)


@pytest.mark.parametrize("shape", [(2, 2), (3, 7), (6, 4)])
def test_mean_squares_are_those_of_least_squares(shape: tuple[int, int]) -> None:
    table = drawn(np.random.default_rng(0), shape, 0.5, 2.0)
    n, m = shape
    seeds, examples = np.repeat(np.eye(n), m, axis=0), np.tile(np.eye(m), (n, 1))

    def left(*parts: np.ndarray) -> float:
        design = np.hstack([np.ones((n * m, 1)), *parts])
        fitted = design @ np.linalg.lstsq(design, table.ravel(), rcond=None)[0]
        return float(((table.ravel() - fitted) ** 2).sum())

    both = left(seeds, examples)
    oracle = ((left(examples) - both) / (n - 1), (left(seeds) - both) / (m - 1), both / ((n - 1) * (m - 1)))
    assert mean_squares(table) == pytest.approx(oracle)


@pytest.mark.parametrize("shape", [(5, 60), (10, 200)])
@pytest.mark.parametrize(("seed", "example"), [(1.0, 0.1), (0.1, 1.0), (0.3, 0.3), (0.0, 0.0), (0.0, 1.0)])
def test_it_holds_the_mean_over_new_seeds_and_new_examples(shape: tuple[int, int], seed: float, example: float) -> None:
    rng = np.random.default_rng(5)
    found = [crossed_interval(drawn(rng, shape, seed, example)) for _ in range(400)]
    assert 0.92 <= 1 - np.mean([one.clear for one in found]) <= 0.98


def test_either_alone_holds_it_too_rarely() -> None:
    rng = np.random.default_rng(5)
    tables = [drawn(rng, (10, 60), 0.4, 1.2) for _ in range(300)]
    for axis in (0, 1):
        assert 1 - np.mean([estimate(list(table.mean(axis=axis))).clear for table in tables]) < 0.9


@pytest.mark.parametrize("axis", [0, 1])
def test_where_one_source_alone_varies_it_is_students(axis: int) -> None:
    means = np.random.default_rng(3).normal(0.1, 1.0, 8)
    found = crossed_interval(np.broadcast_to(np.expand_dims(means, axis), (5, 8) if axis == 0 else (8, 5)))
    oracle = estimate(list(means))
    assert (found.mean, found.low, found.high) == pytest.approx((oracle.mean, oracle.low, oracle.high))


@given(
    st.lists(st.lists(st.integers(-1, 1), min_size=4, max_size=4), min_size=2, max_size=5),
    st.permutations(range(4)),
)
def test_it_is_never_narrower_than_by_its_larger_mean_square(rows: list[list[int]], order: list[int]) -> None:
    table = np.array(rows, float)
    found = crossed_interval(table)
    other = crossed_interval(table[::-1, order])
    assert (found.mean, found.half) == pytest.approx((other.mean, other.half))
    if np.ptp(table) == 0:
        assert found.low is None
        assert not found.clear
        return
    assert found.half is not None
    seed, example, _ = mean_squares(table)
    assert found.half >= 1.96 * np.sqrt(max(seed, example) / table.size) * (1 - 1e-9)


def test_ties_of_seeds_do_not_hide_that_examples_vary() -> None:
    table = np.zeros((2, 20))
    table[0, 0] = table[1, 1] = 1.0  # 17 to 18, and 18 to 19 of 20 right
    found = crossed_interval(table)
    assert found.mean == pytest.approx(0.05)
    assert found.low is not None
    assert not found.clear


def test_what_has_no_interval() -> None:
    for table in ([[1.0, 0.0]], [[1.0], [0.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, float("nan")], [0.0, 1.0]]):
        found = crossed_interval(table)
        assert (found.low, found.high, found.n) == (None, None, len(table))
    for shape in ((0,), (2,), (2, 0), (2, 2, 2)):
        with pytest.raises(ValueError, match="seeds, examples"):
            crossed_interval(np.zeros(shape))
