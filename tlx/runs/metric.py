"""What is known of a metric beside its values: how it is called, which way is better, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tlx.files import foreign

Goal = Literal["min", "max"]


@dataclass(frozen=True)
class Metric:
    """A metric of a task.

    Args:
        name: What its values are recorded under, after ``val/`` and ``test/``.
        title: What reports call it.
        goal: ``max`` where more of it is better, ``min`` where less is.
        percent: It is a share, which reads in percent; differences of shares are points.
    """

    name: str
    title: str
    goal: Goal
    percent: bool = False

    @property
    def sign(self) -> float:
        """1, or -1 where less is better: the larger the product with a value, the better."""
        return 1.0 if self.goal == "max" else -1.0

    @property
    def unit(self) -> str:
        """What follows its title where values stand below it: ``, %`` or nothing."""
        return ", %" if self.percent else ""

    def scaled(self, value: float) -> float:
        """A value as it reads: of a share, percent."""
        return 100 * value if self.percent else value

    def written(self, value: float, signed: bool = False) -> str:
        """Write a value: percent with one decimal, others with four digits; ``signed``: a difference, with its sign."""
        sign = "+" if signed else ""
        return f"{self.scaled(value):{sign}.1f}" if self.percent else f"{value:{sign}.4g}"


def metric_in(row: Any) -> Metric | None:
    """The metric that a JSON object describes; None where it describes none."""
    return Metric(**row) if foreign.conforms(row, Metric) else None
