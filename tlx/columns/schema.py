"""What a model must know of its data before it is built: the columns, and how many examples there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tlx.columns import Column, Image
from tlx.columns.reading import META
from tlx.config.errors import ConfigError, ConfigIssue

One = TypeVar("One", bound=Column)
Other = TypeVar("Other", bound=Column)


@dataclass(frozen=True)
class Schema:
    """The columns of a data set, with what they learned from train.

    Args:
        columns: Inputs, targets, and what else is known of an example.
        counts: Examples by split; empty where nobody knows.
    """

    columns: tuple[Column, ...]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Column]:
        """What a network reads, by name."""
        return self._of("input")

    @property
    def targets(self) -> dict[str, Column]:
        """What is predicted, by name."""
        return self._of("target")

    @property
    def meta(self) -> dict[str, Column]:
        """What else is known, by name."""
        return self._of(*META)

    @property
    def weight(self) -> str | None:
        """The column of the weights of examples, if there is one; raises :class:`ConfigError` for several."""
        found = list(self._of("weight"))
        if len(found) > 1:
            raise ConfigError([ConfigIssue("dataset.columns", f"several weights: {', '.join(found)}; leave one")])
        return found[0] if found else None

    def target(self, kinds: tuple[type[One], type[Other]]) -> One | Other:
        """The one target, of one of these kinds.

        Raises:
            ConfigError: There is none, or another.
        """
        found = [column for column in self.targets.values() if isinstance(column, kinds)]
        if len(found) == 1 == len(self.targets):
            return found[0]
        wanted = " or ".join(kind.kind for kind in kinds)
        there = ", ".join(f"{column.name!r} ({column.kind})" for column in self.targets.values()) or "none"
        raise ConfigError([ConfigIssue("task", f"expected one target of kind {wanted}, found {there}")])

    def read_as(self, specs: Mapping[str, Any]) -> list[str]:
        """What a network will see of each input that there is something to say of; ``specs``: what it expects."""
        found = {name: column.read_as(specs[name]) for name, column in self.inputs.items() if name in specs}
        return [f"{name}: {said}" for name, said in found.items() if said]

    def settings(self) -> list[dict[str, Any]]:
        """All columns as JSON has them."""
        return [column.settings() for column in self.columns]

    def _of(self, *roles: str) -> dict[str, Column]:
        return {column.name: column for column in self.columns if column.role in roles}


def image(columns: Mapping[str, Column]) -> Image | None:
    """The first images among the columns."""
    return next((column for column in columns.values() if isinstance(column, Image)), None)
