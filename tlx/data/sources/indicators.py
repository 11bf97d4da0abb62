"""Several labels of an example as one column of a file each: 1, 0, or unknown (Irvin et al. 2019, CheXpert)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tlx.columns import Column, Labels
from tlx.config.dataset import Table

_KNOWN = {"true": 1.0, "false": 0.0}
_SAID = {
    "ignore": "count neither in the loss nor in a metric",
    "zeros": "train as 0, and count nowhere else",
    "ones": "train as 1, and count nowhere else",
}


def cell_of(name: str) -> str:
    """What the cell of a label is called within a row, where a column of another type may have its name."""
    return f"label\x1f{name}"


def indicator(cell: Any) -> float | None:
    """1 or 0, NaN for what is unknown (blank, NaN, -1); None for what is none of these."""
    text = str(cell).strip().lower()
    if cell is None or text in ("", "nan"):
        return math.nan
    if text in _KNOWN:
        return _KNOWN[text]
    try:
        value = float(text)
    except ValueError:
        return None
    return math.nan if value == -1 else value if value in (0, 1) else None


class Indicators:
    """The labels of ``dataset.labels``, row by row; nothing where it names none."""

    def __init__(self, config: Table) -> None:
        self.names = list(config.labels)
        self._target, self._policy = config.label, config.unknown
        self._rows: list[list[float]] = []

    def faults(self, row: Mapping[str, Any]) -> list[str]:
        """Why the cells of a row are no labels."""
        return [
            f"{name!r} is none of 1, 0, true, false, and -1 or nothing for unknown: {str(row[cell_of(name)])[:40]!r}"
            for name in self.names
            if indicator(row[cell_of(name)]) is None
        ]

    def add(self, row: Mapping[str, Any]) -> None:
        """Take over a row without a fault."""
        if self.names:
            self._rows.append([found for name in self.names if (found := indicator(row[cell_of(name)])) is not None])

    @property
    def columns(self) -> list[Column]:
        """The target."""
        return [Labels(self._target, classes=tuple(self.names))] if self.names else []

    @property
    def values(self) -> dict[str, npt.NDArray[np.float32]]:
        """1, 0, or NaN for unknown by example and label; what NaN is to training is said once splits are known."""
        return {self._target: self._table} if self.names else {}

    @property
    def notes(self) -> list[str]:
        """How many labels are unknown."""
        count = int(np.isnan(self._table).sum())
        if not count:
            return []
        rows = int(np.isnan(self._table).any(1).sum())
        return [f"{count:,} labels of {rows:,} rows are unknown: they {_SAID[self._policy]} (dataset.unknown)"]

    @property
    def _table(self) -> npt.NDArray[np.float32]:
        return np.array(self._rows, dtype=np.float32).reshape(len(self._rows), len(self.names))
