"""Numbers and categories: what they learn of train, and what is told of bad values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.strategies import FEW, FINITE, back, chosen, look
from tlx.columns import Category, Number, Reading
from tlx.data.source import Source


# Numbers
def as_number(value: Any) -> float:
    """By Python alone."""
    if value is None:
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan


CELLS = FINITE | st.integers(-1000, 1000) | st.booleans() | FINITE.map(lambda one: f" {one!r} ")
BAD_CELLS = st.sampled_from([None, "", "x", "1,5", math.nan, math.inf, "nan", "1e999"])


@given(st.lists(CELLS, min_size=1, max_size=20), st.data())
def test_numbers_know_mean_and_deviation_of_train(values: list[Any], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    column, encoded, problems = Number("number").encode(values, train)
    expected = np.array([as_number(value) for value in values])
    np.testing.assert_array_equal(encoded, expected)
    assert problems == {}
    assert isinstance(encoded, np.ndarray)
    fitted = column.fit(encoded[train])
    there = expected[train]
    assert fitted.mean == pytest.approx(np.mean(there), rel=1e-9, abs=1e-9)
    if len(set(there.tolist())) == 1:
        assert fitted.deviation == 1
    elif there.std() > 1e-6 * max(1, abs(there.mean())):
        assert fitted.deviation == pytest.approx(np.std(there), rel=1e-6)
    assert fitted.deviation > 0
    assert back(fitted) == fitted
    standardised = (expected - fitted.mean) / fitted.deviation
    np.testing.assert_allclose(fitted.collate(encoded, Reading()).numpy(), standardised.astype(np.float32))
    target = Number("number", role="target").fit(encoded[train])
    np.testing.assert_array_equal(target.collate(encoded, Reading()).numpy(), expected)


@given(st.lists(FINITE, min_size=1, max_size=20), st.data())
def test_other_splits_teach_a_number_nothing(values: list[float], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    altered = np.array(values)
    altered[np.setdiff1d(np.arange(len(values)), train)] += 1000
    one, other = (
        Source([Number("number")], {"number": rows}, {}).encoded().fitted(train) for rows in (np.array(values), altered)
    )
    assert one.columns == other.columns


@pytest.mark.parametrize("value", [0.1, -0.3, 1e6 + 0.1, 7.0, 1e-12])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_a_constant_number_has_a_deviation_of_one(value: float, count: int) -> None:
    """In floats the deviation of equal numbers need not be zero, and what is divided by it would be noise."""
    assert Number("number").fit(np.full(count, value)).deviation == 1


@given(st.lists(CELLS | BAD_CELLS, min_size=1, max_size=20), st.data())
def test_what_is_no_finite_number_is_told(values: list[Any], data: st.DataObject) -> None:
    used = chosen(data, len(values))
    column, encoded, _ = Number("number").encode(values, used)
    wrong = {i for i in used.tolist() if not math.isfinite(as_number(values[i]))}
    assert set(column.problems(encoded, used, look())) == wrong


@pytest.mark.parametrize("values", [np.array([1, 2], np.uint8), np.array([True, False]), np.array([1.5], np.float16)])
def test_arrays_of_numbers_are_numbers(values: Any) -> None:
    _, encoded, _ = Number("number").encode(values, np.arange(len(values)))
    assert isinstance(encoded, np.ndarray)
    assert encoded.dtype == np.float64
    np.testing.assert_array_equal(encoded, values.astype(float))


# Categories
@given(st.lists(FEW | st.none() | st.integers(0, 3) | st.sampled_from([1.0, 2.5]), min_size=1, max_size=20), st.data())
def test_categories_are_numbered_from_one_as_train_has_them(values: list[Any], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    names = [
        "" if one is None else str(int(one)) if isinstance(one, float) and one == 1 else str(one) for one in values
    ]
    column, encoded, problems = Category("category").encode(values, train)
    assert (list(encoded), problems) == (names, {})
    fitted = column.fit([encoded[i] for i in train])
    there = sorted({names[i] for i in train})
    assert list(fitted.categories) == there
    expected = [there.index(name) + 1 if name in there else 0 for name in names]
    assert [fitted.prepare(name, Reading()) for name in encoded] == expected
    taken = fitted.reader(encoded, np.arange(len(values)), Reading()).take([(0, i) for i in range(len(values))])
    assert taken.dtype == torch.int64
    assert taken.tolist() == expected
    assert back(fitted) == fitted
    assert fitted.fit(["something", "else"]) == fitted


def test_given_categories_stay() -> None:
    column = Category("category", categories=("z", "a"))
    assert column.fit(["a", "b"]) == column
    assert [column.prepare(word, Reading()) for word in ("z", "a", "b", " a ")] == [1, 2, 0, 2]
