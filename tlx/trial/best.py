"""The validations worth remembering: the best so far, and the ingredients of a soup."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Best:
    """The best validation so far, and the tensors that reached it."""

    value: float | None = None
    values: dict[str, float | None] = field(default_factory=dict)  # every metric of that validation
    state: dict[str, Tensor] | None = None

    def is_reached(self, value: float, mode: str) -> bool:
        """Is ``value`` at least as good? (an equal later one wins)"""
        return self.value is None or (value >= self.value if mode == "max" else value <= self.value)


class Ingredients:
    """The best ``size`` validations, best first; of equals, the later one first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: list[Best] = []

    def offer(self, found: Best, mode: str) -> None:
        """Take a validation in if it is among the best."""
        assert found.value is not None
        place = next((i for i, one in enumerate(self.kept) if one.is_reached(found.value, mode)), len(self.kept))
        self.kept = [*self.kept[:place], found, *self.kept[place:]][: self.size]
