"""A source of examples, before it is split: its columns, their values, and where each example came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tlx.columns import Column
from tlx.columns.reading import DEFAULT, Indices, Strata, Values
from tlx.columns.schema import Schema
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue, DataError

_SHOWN = 100  # problems listed; the rest are counted


@dataclass
class Source:
    """Examples in a fixed order.

    Args:
        columns: The types of the fields.
        rows: By the name of a column, its values: as many for each.
        splits: Those that the source brings, as numbers of examples; the others are cut from train.
        origin: Where an example is from, for messages.
        notes: What a person should know: skipped files, empty classes.
        contents: By the name of a column, what gives a hash of the content of each of its values, where the source
            knows a cheaper way than to read them.
        seen: What was seen of values when they were looked at, by column and example.

    Example:
        >>> Source([Text("review"), Label("stars")], {"review": texts, "stars": names}, splits={})
    """

    columns: Sequence[Column]
    rows: Mapping[str, Values]
    splits: dict[str, Indices]
    origin: Callable[[int], str] = field(default=lambda i: f"example {i}")
    notes: list[str] = field(default_factory=list)
    seen: dict[str, dict[int, Any]] = field(default_factory=dict)
    contents: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names) or set(names) != set(self.rows):
            raise ValueError(f"expected values for each of the columns {names}, found some for {list(self.rows)}")
        lengths = {name: len(values) for name, values in self.rows.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"expected as many values in each column, found {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.rows.values()), ()))

    def encoded(self, limits: Limits = DEFAULT) -> Source:
        """The same with the values as the columns read them; classes and categories are settled.

        Raises:
            DataError: Values that a column cannot read, such as a class that train lacks.
        """
        train = self.splits.get("train", np.arange(len(self)))
        columns, rows, problems = [], {}, []
        for column in self.columns:
            known, values, faults = column.encode(self.rows[column.name], train, limits)
            columns.append(known)
            rows[column.name] = values
            problems += [ConfigIssue(self.origin(i), fault) for i, fault in faults.items()]
        if problems:
            more = [ConfigIssue("...", f"and {len(problems) - _SHOWN:,} more")] if len(problems) > _SHOWN else []
            raise DataError([*problems[:_SHOWN], *more])
        return replace(self, columns=columns, rows=rows)

    def fitted(self, train: Indices, limits: Limits = DEFAULT) -> Source:
        """The same with what the columns learn from the examples that train."""
        columns = []
        for column in self.columns:
            values, seen = _some(self.rows[column.name], train), self.seen.get(column.name)
            known = (
                [seen[i] for i in train.tolist()]
                if seen is not None and all(i in seen for i in train.tolist())
                else None
            )
            columns.append(column.fit(values) if known is None else column.fit(values, known, limits))
        return replace(self, columns=columns)

    @property
    def strata(self) -> Strata | None:
        """What splits are stratified by: the first target that has something."""
        for column in self.columns:
            if column.role == "target" and (found := column.strata(self.rows[column.name])) is not None:
                return found
        return None

    def schema(self, splits: Mapping[str, Indices]) -> Schema:
        """What a model must know of the data."""
        return Schema(tuple(self.columns), {name: len(indices) for name, indices in splits.items()})

    def described(self, i: int) -> dict[str, Any]:
        """Where an example is from, its id and its group, as JSON has them."""
        known = [column for column in self.columns if column.role in ("id", "group")]
        meta = {column.name: column.shown(self.rows[column.name][i]) for column in known}
        return {"example": self.origin(i), **({"meta": meta} if meta else {})}


def _some(values: Values, chosen: Indices) -> Values:
    return values[chosen] if isinstance(values, np.ndarray) else [values[i] for i in chosen]


@dataclass(frozen=True)
class RowLocation:
    """A row of a file, for messages."""

    file: Path
    row: int

    def __str__(self) -> str:
        return f"{self.file}:{self.row}"
