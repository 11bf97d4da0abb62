"""Numbers and categories: the columns of tables, and the targets of a regression."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tlx.columns.column import Column
from tlx.columns.reading import DEFAULT, Indices, Inspection, Reader, Reading, Values
from tlx.config.dataset import Limits


@dataclass(frozen=True)
class Number(Column):
    """A number: of a table, or to be predicted.

    Args:
        mean: Of train, once it was fitted.
        deviation: Likewise; 1 where all numbers are the same.
    """

    kind: ClassVar[str] = "number"
    mean: float = 0.0
    deviation: float = 1.0

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Floats of 64 bits, NaN for what is no number."""
        if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
            return self, values.astype(np.float64), {}
        return self, np.array([number(value) for value in values], dtype=np.float64), {}

    def fit(self, values: Values) -> Self:
        """Mean and deviation of train."""
        numbers = np.asarray(values, dtype=np.float64)
        numbers = numbers[np.isfinite(numbers)]
        deviation = float(numbers.std()) if len(numbers) else 0.0
        return replace(
            self, mean=float(numbers.mean()) if len(numbers) else 0.0, deviation=deviation if deviation > 0 else 1.0
        )

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """What is no finite number."""
        wrong = used[~np.isfinite(np.asarray(values)[used])]
        return {int(i): f"{self.name!r} is not a finite number" for i in wrong}

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """Floats of 32 bits [examples]."""
        from tlx.columns.value_reader import InMemory  # torch

        return InMemory(self, self.collate(np.asarray(values)[indices], reading))

    def prepare(self, value: Any, reading: Reading) -> float:
        """A float; NaN for what is no number."""
        return number(value)

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """Floats of 32 bits."""
        return super().collate(np.asarray(prepared, dtype=np.float32), reading)

    @property
    def summary(self) -> str:
        """Its mean and deviation."""
        return f"a number, {self.mean:.4g} ± {self.deviation:.4g} in train"


@dataclass(frozen=True)
class Category(Column):
    """A word out of a few, such as a column of a table.

    Args:
        categories: By name; empty: sorted, those of train. What is none of them is number 0 to a network.
    """

    kind: ClassVar[str] = "category"
    categories: tuple[str, ...] = ()

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Words."""
        return self, np.array([word(value) for value in values], dtype=object), {}

    def fit(self, values: Values) -> Self:
        """Its categories are the words of train."""
        return self if self.categories else replace(self, categories=tuple(sorted(set(values))))

    def prepare(self, value: Any, reading: Reading) -> int:
        """Its number from 1 on in the order of the categories, 0 for one that train has not."""
        return self._numbers.get(word(value), 0)

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """Whole numbers [examples]."""
        from tlx.columns.value_reader import InMemory  # torch

        return InMemory(self, self.collate([self.prepare(values[i], reading) for i in indices], reading))

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """Whole numbers."""
        return super().collate(np.asarray(prepared, dtype=np.int64), reading)

    @property
    def summary(self) -> str:
        """How many there are."""
        return f"{len(self.categories)} categories"

    @property
    def _numbers(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.categories, start=1)}


def number(value: Any) -> float:
    """A cell as a number; NaN for what is none."""
    try:
        return float(value.strip() if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def word(value: Any) -> str:
    """A cell as a category: 3.0 and 3 are the same; nothing is the empty word."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
