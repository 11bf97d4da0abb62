"""What every column can do: name its values, look at them, prepare them for a network, put them into a batch.

A column is the type of a field, with what was learned of it from train. The values themselves stay with the source:
a path, a text, an array. :class:`Column` is a complete column of values that are used as they are; a kind of one's own
overrides what differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from tlx.columns.reading import DEFAULT, Indices, Inspection, Reader, Reading, Role, Strata, Values
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigIssue


@dataclass(frozen=True)
class Column:
    """A typed field of every example.

    Args:
        name: What it is called.
        role: ``input`` is read by a network, ``target`` is predicted; the others are known of an example.
    """

    kind: ClassVar[str] = "value"
    name: str
    role: Role = "input"

    # -- what the values are ---------------------------------------------------------------------------------------

    def encode(self, values: Values, train: Indices, limits: Limits = DEFAULT) -> tuple[Self, Values, dict[int, str]]:
        """Settle what values are called, such as the classes of a label, from train.

        Args:
            values: As the source has them.
            train: Which of them train, or all, where the splits are still to be cut.
            limits: The most that is read of one value.

        Returns:
            The column that knows; the values as it reads them; and by example, why one cannot be.
        """
        return self, values, {}

    def fit(self, values: Values, seen: Sequence[Any] = (), limits: Limits = DEFAULT) -> Self:
        """Learn what else is of train alone, such as a mean, from its encoded values.

        Args:
            values: Of train.
            seen: What :meth:`problems` has put into ``look.seen`` of each of them; where it was nothing, neither this
                nor the limits are given.
            limits: The most that is read of one value.
        """
        return self

    def read(self, value: Any, limits: Limits = DEFAULT) -> Any:
        """The canonical value: a decoded image, a text, a number."""
        return value

    def problem(self, value: Any) -> str:
        """Why a canonical value cannot be used; empty where it can."""
        return ""

    def problems(self, values: Values, used: Indices, look: Inspection) -> dict[int, str]:
        """Why values cannot be used, by example; those that are sound are left out."""
        found: dict[int, str] = {}
        for i in used.tolist():
            try:
                problem = self.problem(self.read(values[i], look.limits))
            except Exception as error:  # the code of a kind of one's own may raise anything on a foreign value
                problem = f"unreadable {self.kind}: {type(error).__name__}: {error}"
            if problem:
                found[i] = problem
        return found

    def settled(self, seen: Mapping[int, Any]) -> Self:
        """The same with what only a look at all values tells.

        Args:
            seen: What :meth:`problems` has put into ``look.seen``, by example; not called where it was nothing.
        """
        return self

    def split_problems(self, values: Values, splits: Mapping[str, Indices]) -> list[ConfigIssue]:
        """What is wrong with how values are split, such as a class that train lacks; the column has been fitted."""
        return []

    def notes(self, values: Values, splits: Mapping[str, Indices], seen: Mapping[int, Any] | None = None) -> list[str]:
        """What a person should know of the values of a split, now that train is known.

        Args:
            values: Of all examples.
            splits: Of the examples.
            seen: What :meth:`problems` has put into ``look.seen``; not given where it was nothing.
        """
        return []

    def notes_of_others(self, values: Values, splits: Mapping[str, Indices], seen: Mapping[int, Any]) -> list[str]:
        """What a person should know of examples that a trained model is measured on; as :meth:`notes` otherwise.

        Args:
            values: Of all examples.
            splits: Those that are measured.
            seen: What :meth:`problems` has put into ``look.seen`` of these; empty where it was nothing.
        """
        return self.notes(values, splits, seen) if seen else self.notes(values, splits)

    def file(self, value: Any) -> Path | None:
        """The file that a value names, whose content is part of the data; None where it is in the value."""
        return None

    def strata(self, values: Values) -> Strata | None:
        """What splits are stratified by; None where nothing is."""
        return None

    # -- towards a network -----------------------------------------------------------------------------------------

    def prepare(self, value: Any, reading: Reading) -> Any:
        """A canonical value as a network reads it."""
        return value

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """Prepared values as a batch: a tensor, or tensors by the name of an argument of the backbone."""
        from tlx.columns.value_reader import stacked  # torch

        return stacked(prepared)

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """The values of a split, ready to be batched."""
        from tlx.columns.value_reader import OneByOne  # torch

        return OneByOne(self, values, indices, reading)

    # -- towards people --------------------------------------------------------------------------------------------

    def shown(self, encoded: Any) -> Any:
        """An encoded value as JSON has it."""
        return encoded.item() if hasattr(encoded, "item") else encoded

    def read_as(self, spec: Any) -> str:
        """What a network that expects this will see of it, where there is more to say than its kind; or nothing."""
        return ""

    def settings(self) -> dict[str, Any]:
        """All there is to know of it, as JSON has it."""
        return {"kind": self.kind, **asdict(self)}

    @property
    def summary(self) -> str:
        """What it holds, in a few words."""
        return self.kind
