"""Numbers and categories: the columns of tables, and the targets of a regression."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from tlx.columns.column import Column
from tlx.columns.reading import DEFAULT, META, Indices, Inspection, Reader, Reading, Values
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue

_LARGEST, _FAR = 1e150, 1e30  # whose square is a number, too; in floats of 32 bits


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

    def fit(self, values: Values, seen: Sequence[Any] = (), limits: Limits = DEFAULT) -> Self:
        """Mean and deviation of train."""
        numbers = np.asarray(values, dtype=np.float64)
        numbers = numbers[np.abs(numbers) <= _LARGEST]
        if not len(numbers):
            return self
        varies = numbers.min() < numbers.max()  # rounding alone gives equal numbers a deviation
        return replace(self, mean=float(numbers.mean()), deviation=(float(numbers.std()) if varies else 0.0) or 1.0)

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """What is no finite number, too large to be squared, or a weight below 0."""
        numbers = np.asarray(values)[used]
        wrong = {
            "is not a finite number": ~np.isfinite(numbers),
            f"is beyond {_LARGEST:g}": np.abs(numbers) > _LARGEST,
            "is a weight below 0": (numbers < 0) & (self.role == "weight"),
        }
        found: dict[int, str] = {}
        for reason, rows in wrong.items():
            for i in used[rows].tolist():
                found.setdefault(i, f"{self.name!r} {reason}")
        return found

    def split_problems(self, values: Values, splits: Mapping[str, Indices]) -> list[ConfigIssue]:
        """Weights of which none counts, and inputs that lie too far from those of train."""
        numbers = np.asarray(values, dtype=np.float64)
        if self.role == "weight" and not (numbers[splits["train"]] > 0).any():
            return [ConfigIssue("dataset (train)", f"no {self.name!r} is above 0: no example counts")]
        far = {name: np.abs(numbers[rows] - self.mean) / self.deviation > _FAR for name, rows in splits.items()}
        message = f"{self.name!r} has numbers more than {_FAR:g} deviations from the mean of train"
        found = [name for name, one in far.items() if self.role == "input" and one.any()]
        return [ConfigIssue(f"dataset ({name})", message) for name in found]

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """As :meth:`collate` gives them [examples]."""
        from tlx.columns.value_reader import InMemory  # torch

        return InMemory(self, self.collate(np.asarray(values)[indices], reading))

    def prepare(self, value: Any, reading: Reading) -> float:
        """A float; NaN for what is no number."""
        return number(value)

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """An input in deviations from the mean of train, as floats of 32 bits; others as they are, in 64."""
        numbers = np.asarray(prepared, dtype=np.float64)
        if self.role == "input":
            numbers = ((numbers - self.mean) / self.deviation).astype(np.float32)
        return super().collate(numbers, reading)

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

    def fit(self, values: Values, seen: Sequence[Any] = (), limits: Limits = DEFAULT) -> Self:
        """Its categories are the words of train; what is not read, such as a patient's name, is not kept."""
        return self if self.categories or self.role in META else replace(self, categories=tuple(sorted(set(values))))

    def notes(self, values: Values, splits: Mapping[str, Indices], seen: Mapping[int, Any] | None = None) -> list[str]:
        """How many words of a split train has not, where that matters."""
        if self.role in META:
            return []
        known = set(self.categories)
        new = {name: sum(values[i] not in known for i in indices) for name, indices in splits.items()}
        return [
            f"{count} of {len(splits[name])} {self.name!r} of {name} are no word of train"
            for name, count in new.items()
            if count
        ]

    def prepare(self, value: Any, reading: Reading) -> int:
        """Its number from 1 on in the order of the categories, 0 for one that train has not."""
        return self._numbers.get(word(value), 0)

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """Whole numbers [examples]."""
        from tlx.columns.value_reader import InMemory  # torch

        numbers = self._numbers
        return InMemory(self, self.collate([numbers.get(word(values[i]), 0) for i in indices], reading))

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
    """A cell as a category: 3.0 and 3 are the same, as numbers and as text; nothing is the empty word."""
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.partition(".")[0] if re.fullmatch(r"-?[0-9]+\.0+", text) else text
