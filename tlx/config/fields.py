"""How an option says more than its type: what it is for, what it allows, and whether it decides results."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omegaconf import MISSING

HELP = "help"
CHOICES = "choices"
REFUSED = "refused"  # words a user might expect, each with the reason why it is not one of the choices
IDENTITY = "identity"
ROUNDING = "rounding"  # no part of the identity, but the last bits may depend on it
NEUTRAL = "neutral"
SHORT = "short"  # the field that stands for the whole part where a word is given in its place: optimizer=sgd
RANGE = "range"


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that an option takes, or each value of a mapping of numbers."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def holds(self, value: float) -> bool:
        """Is a number in the range? NaN and what is infinite are in none."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
            and abs(value) < math.inf
        )

    def __str__(self) -> str:
        """Say which numbers: ``a number above zero``, ``0 to below 1``."""
        low = self.above if self.above is not None else self.least
        high = self.below if self.below is not None else self.most
        if high is None:
            if low == 0:
                return "a number above zero" if self.above is not None else "zero or more"
            return f"more than {low:g}" if self.above is not None else f"{low:g} or more"
        end = f"below {high:g}" if self.below is not None else f"{high:g}"
        if low is None:
            return f"{'less than' if self.below is not None else 'at most'} {high:g}"
        return f"{'above ' if self.above is not None else ''}{low:g} to {end}"


def option(
    default: Any = MISSING,
    help: str = "",
    *,
    choices: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
    factory: Callable[[], Any] | None = None,
    runtime_only: bool = False,
    rounding_only: bool = False,
    neutral: Any = MISSING,
    short: bool = False,
    required: bool = False,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> Any:
    """Make a field of a dataclass of options.

    Args:
        default: Its value where none is given; ``MISSING``: one has to be given. With ``choices``, the first of them.
        help: What it is for, as ``tlx help`` shows it.
        choices: The words it takes.
        refused: Words that a user might expect, each with the reason why it is none of the choices.
        factory: Makes the default where that is a list, a mapping or a part.
        runtime_only: It says where or how a trial runs, not what it computes: left out of its identity.
        rounding_only: It is ``runtime_only`` but for rounding: the last bits of a number may depend on it. What a
            result was made with is recorded, and said where another value is asked for.
        neutral: The value at which it changes nothing, for an option that is added where runs have been recorded: there
            it is left out of the identity, and no recorded run is another one than before.
        required: One of the choices has to be given.
        short: The field stands for its part, where one word is given in place of keys and values.
        least, above, most, below: The numbers it takes.
    """
    metadata: dict[str, Any] = {HELP: help} if help else {}
    metadata |= {CHOICES: tuple(choices)} if choices else {}
    metadata |= {REFUSED: dict(refused)} if refused else {}
    metadata |= {IDENTITY: False} if runtime_only or rounding_only else {}
    metadata |= {ROUNDING: True} if rounding_only else {}
    metadata |= {NEUTRAL: neutral} if neutral is not MISSING else {}
    metadata |= {SHORT: True} if short else {}
    allowed = Range(least, above, most, below)
    metadata |= {RANGE: allowed} if allowed != Range() else {}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    if default is MISSING and choices and not required:
        default = choices[0]
    return dataclasses.field(default=default, metadata=metadata)
