"""Labels of an example: one of several classes, or any number of them. Only tasks and this file know of classes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from tlx.columns.column import Column
from tlx.columns.reading import DEFAULT, Indices, Inspection, Role, Strata, Values
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue

_MANY = 20  # classes
_SHOWN = 5  # classes that are named


@dataclass(frozen=True)
class Label(Column):
    """One class of several. Values are names of classes, or whole numbers where the classes are given by name.

    Args:
        classes: By name, in the order of a head's outputs; empty: sorted, those of train.
    """

    kind: ClassVar[str] = "label"
    role: Role = "target"
    classes: tuple[str, ...] = ()

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Classes from the names of train, and names as their numbers; given classes stay, and values are numbers."""
        if self.classes:
            return self, np.asarray(values, dtype=np.int64), {}
        names = [str(value) for value in values]
        known = train if self.role == "target" else np.arange(len(names))  # a group may be new
        labels, classes, unknown = index_classes(names, known)
        first = {names[i]: i for i in reversed(unknown)}
        problems = {i: f"class {name!r} is not in train" for name, i in sorted(first.items())}
        return replace(self, classes=tuple(classes)), labels, problems

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """Numbers that stand for no class."""
        labels = np.asarray(values)[used]
        wrong = used[(labels < 0) | (labels >= len(self.classes))]
        return {int(i): f"a label is outside 0..{len(self.classes) - 1}" for i in wrong}

    def split_problems(self, values: Values, splits: Mapping[str, Indices]) -> list[ConfigIssue]:
        """Classes of a target without an example in train, and data of one class."""
        if self.role != "target":
            return []
        there = np.asarray(values)[splits["train"]].astype(int)
        missing = np.setdiff1d(np.arange(len(self.classes)), there)
        found = [ConfigIssue("dataset (train)", f"no example of class {self.classes[i]!r}") for i in missing]
        if len(self.classes) < 2:
            found.append(ConfigIssue("dataset", f"only one class: {list(self.classes)}"))
        return found

    def strata(self, values: Values) -> Strata:
        """Its classes; very many that are numbers may be meant as numbers."""
        numbers = len(self.classes) > _MANY and all(_is_number(name) for name in self.classes)
        hint = f"; {self.name!r} is a number? dataset.label_type=number predicts it" if numbers else ""
        return Strata(np.asarray(values, dtype=np.int64), self.classes, hint=hint)

    def shown(self, encoded: Any) -> str:
        """The name of a class."""
        return self.classes[int(encoded)]

    @property
    def summary(self) -> str:
        """How many classes there are."""
        return f"{len(self.classes)} classes"


@dataclass(frozen=True)
class Labels(Column):
    """Any number of classes.

    Values are collections of names, or mappings from a name to true, false or None for unknown, where a name that is
    not there is unknown as well. With given classes they may be an array [examples, classes] of 1, 0 and NaN. What is
    unknown counts neither in a loss nor in a metric.

    Args:
        classes: By name, in the order of a head's outputs; empty: sorted, those of train.
        unknown: Is it unknown of some example whether a class is there?
    """

    kind: ClassVar[str] = "labels"
    role: Role = "target"
    classes: tuple[str, ...] = ()
    unknown: bool = False

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Classes from the names of train, and 1, 0 or NaN for each of them [examples, classes]."""
        if isinstance(values, np.ndarray) and values.ndim == 2:
            return replace(self, unknown=bool(np.isnan(values).any())), values.astype(np.float32, copy=False), {}
        classes = self.classes or tuple(sorted({name for i in train for name in values[i]}))
        index = {name: place for place, name in enumerate(classes)}
        encoded = np.zeros((len(values), len(classes)), dtype=np.float32)
        problems: dict[int, str] = {}
        seen: set[str] = set()
        for row, value in enumerate(values):
            if isinstance(value, Mapping):
                encoded[row] = np.nan
            for name in sorted(value):
                there = value[name] if isinstance(value, Mapping) else True
                if name in index:
                    encoded[row, index[name]] = np.nan if there is None else float(there)
                elif name not in seen:
                    seen.add(name)
                    before = f"{problems[row]}; " if row in problems else ""
                    problems[row] = f"{before}class {name!r} is not in train"
        return replace(self, classes=classes, unknown=bool(np.isnan(encoded).any())), encoded, problems

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """Values other than 0, 1 and unknown."""
        labels = np.asarray(values)[used]
        wrong = used[~((labels == 0) | (labels == 1) | np.isnan(labels)).all(1)]
        return {int(i): "a label is not 0, 1 or unknown" for i in wrong}

    def split_problems(self, values: Values, splits: Mapping[str, Indices]) -> list[ConfigIssue]:
        """Classes of which train knows nothing at all, and data without any."""
        if not self.classes:
            return [ConfigIssue("dataset (train)", f"no example has any label in {self.name!r}")]
        unknown = np.isnan(np.asarray(values)[splits["train"]]).all(0)
        return [
            ConfigIssue("dataset (train)", f"whether it is {self.classes[i]!r} is unknown of every example")
            for i in np.flatnonzero(unknown)
        ]

    def notes(self, values: Values, splits: Mapping[str, Indices], seen: Mapping[int, Any] | None = None) -> list[str]:
        """Classes that train never has, and those that it always has where it is known."""
        if self.role != "target" or "train" not in splits:
            return []
        there = np.asarray(values)[splits["train"]]
        known, positives = (~np.isnan(there)).sum(0), np.nansum(there, 0)
        kinds = {
            "labels that no example of train has": positives == 0,
            "labels that every example of train has, where it is known": (positives == known) & (known > 0),
        }
        return [
            f"{what}: {_some([self.classes[i] for i in np.flatnonzero(which)])}"
            for what, which in kinds.items()
            if which.any()
        ]

    def shown(self, encoded: Any) -> list[str]:
        """The names of the classes that are there."""
        return [name for name, there in zip(self.classes, encoded, strict=True) if there == 1]

    @property
    def summary(self) -> str:
        """How many classes there are."""
        return f"{len(self.classes)} classes"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def index_classes(names: Sequence[str], train: Indices) -> tuple[npt.NDArray[np.int64], list[str], list[int]]:
    """One class mapping, made from the training rows: (indices, classes, rows whose class train lacks).

    Classes are sorted by name; where every name is a whole number (of digits that Python reads), by value.
    """
    seen = {names[i] for i in train}
    numeric = all(re.fullmatch(r"-?[0-9]{1,4000}", name) for name in seen)
    classes = sorted(sorted(seen), key=int) if numeric else sorted(seen)  # 1 before 01, in every process
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index.get(name, -1) for name in names], dtype=np.int64)
    return labels, classes, [int(i) for i in np.flatnonzero(labels < 0)]
