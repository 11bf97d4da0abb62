"""A column as such, and one of somebody's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tests.columns.strategies import look
from tlx.columns import Column, Reading
from tlx.config.dataset_parts import Limits


class Point(Column):
    """Values that are used as they are."""


def test_any_column_stacks_what_it_is_given() -> None:
    values = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0])]
    column, encoded, problems = Point("point").encode(values, np.arange(3))
    assert problems == {}
    found = column.reader(encoded, np.array([2, 0]), Reading()).take([(0, 1), (0, 0), (4, 1)])
    assert found.tolist() == [[1, 2], [5, 6], [1, 2]]


def test_whatever_the_code_of_a_column_raises_is_told() -> None:
    class Fragile(Column):
        def read(self, value: Any, limits: Limits | None = None) -> Any:
            return 1 / value

        def problem(self, value: Any) -> str:
            return "too small" if value < 0.1 else ""

    found = Fragile("fragile").problems([1, 0, 100, "x"], np.arange(4), look())
    assert found[2] == "too small"
    assert "ZeroDivisionError" in found[1]
    assert "TypeError" in found[3]
    assert list(found) == [1, 2, 3]
