"""Lengths of training as people write them: ``3 epochs``, ``500 steps``, ``25%``, ``rest``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["epochs", "steps", "%", "rest"]
_PATTERN = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(epochs?|steps?|%)\s*$")
EXPECTED = "a length like '3 epochs', '500 steps', '25%' or 'rest'"
AUTO = "auto"  # no amount: how often the numbers of examples ask for a validation (strategy.validate_every)


@dataclass(frozen=True)
class Amount:
    """A number with its unit. ``rest`` is whatever the budget leaves."""

    value: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Amount:
        """Read an amount; raises :class:`ValueError` saying what was expected."""
        if text.strip() == "rest":
            return cls(0.0, "rest")
        match = _PATTERN.match(text)
        if match is None:
            raise ValueError(f"{text!r} is not {EXPECTED}")
        word = match.group(2)
        unit: Unit = "%" if word == "%" else "epochs" if word.startswith("epoch") else "steps"
        return cls(float(match.group(1)), unit)

    def steps(self, *, steps_per_epoch: int, budget: int = 0) -> int:
        """This amount in optimizer steps. ``budget`` (steps) is what a percentage is taken of."""
        if self.unit == "steps":
            return round(self.value)
        if self.unit == "epochs":
            return round(self.value * steps_per_epoch)
        if self.unit == "%":
            return round(self.value / 100 * budget)
        raise ValueError("'rest' has no length of its own")
