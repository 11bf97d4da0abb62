"""How often validation looks at a trial, and what share of the work that is, told from numbers of examples alone.

The work is counted in forward passes of one example: one for an example that validates, three for one that trains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tlx.config.amount import AUTO, Amount
from tlx.config.strategy import Strategy
from tlx.strategies.phases import PhasePlan, averaging_start, budget_steps, decision_interval, written_lengths

SHARE = Fraction(1, 10)  # of the work that validation may be, where that leaves enough looks
LOOKS = 5  # in each phase: fewer are no choice of the best, and tell no plateau
_MUCH = 0.25  # of the work: from here on it is said that another interval would cost less
_TRAINING = 3  # forward passes that an example costs that trains: one forward, and twice as much backward


@dataclass(frozen=True)
class Counts:
    """Examples of a trial, and optimizer steps per epoch."""

    train: int
    val: int
    steps_per_epoch: int

    @property
    def per_look(self) -> Fraction:
        """The cost of a validation, in optimizer steps."""
        return Fraction(self.val * self.steps_per_epoch, _TRAINING * self.train)


@dataclass(frozen=True)
class ValidationSchedule:
    """The validations of a trial, as they are planned.

    Args:
        interval: Optimizer steps from one to the next; each phase ends with one as well.
        looks: How many there are.
        share: Of the work; NaN where no optimizer step is taken.
        is_auto: Was the interval found out?
        notes: Its share in words, with the reason where it is more than was aimed at, and what else is to be known.
    """

    interval: int
    looks: int
    share: float
    is_auto: bool
    notes: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """How often, and what that costs; nothing of heads that are solved alone."""
        if math.isnan(self.share):
            return []
        often = f"every {self.interval} steps" if self.interval > 1 else "after every step"
        times = f"{self.looks} times" if self.looks > 1 else "once"
        first, *others = self.notes
        return [f"{often}{' (auto)' if self.is_auto else ''}, {times}; {first}", *others]


def validation_interval(strategy: Strategy, counts: Counts) -> int:
    """Optimizer steps between validations; a controller decides after one, so it may ask for more of them."""
    return _interval(strategy, counts)[0]


def validation_schedule(strategy: Strategy, counts: Counts, phases: Sequence[PhasePlan]) -> ValidationSchedule:
    """The validations of ``phases``, which :func:`tlx.strategies.phases.plan` gives."""
    interval, reason = _interval(strategy, counts)
    lengths = _lengths(strategy, counts, phases)
    solved = sum(phase.options.solver != "gradient" for phase in phases)  # each is validated
    looks = solved + _looks(lengths, interval)
    share = _share(looks, sum(lengths), counts)
    if strategy.validate_every == AUTO:
        notes = [f"{reason}: {_said(share)}" if is_more(share) else _said(share)]
        notes += _without_plateau(phases, lengths, interval)
        return ValidationSchedule(interval, looks, share, is_auto=True, notes=tuple(notes))
    notes = [_said(share)]
    if share > _MUCH:
        other = validation_schedule(replace(strategy, validate_every=AUTO), counts, phases)
        if other.share < share:
            notes = [f"{_said(share)}, with strategy.validate_every=auto {_percent(other.share)}"]
    return ValidationSchedule(interval, looks, share, is_auto=False, notes=tuple(notes))


def least_share(strategy: Strategy, counts: Counts) -> float:
    """Validation's share of the work, without what levels of expanded phases add, which the network decides on."""
    lengths = _written(strategy, counts.steps_per_epoch)
    return _share(_looks(lengths, validation_interval(strategy, counts)), sum(lengths), counts)


def is_more(share: float) -> bool:
    """Is it more than was aimed at?"""
    return not math.isnan(share) and round(100 * share) > 100 * SHARE


def _looks(lengths: Sequence[int], interval: int) -> int:
    return sum(math.ceil(steps / interval) for steps in lengths)


def _share(looks: int, steps: int, counts: Counts) -> float:
    return float(looks * counts.per_look / (steps + looks * counts.per_look)) if steps else math.nan


def _said(share: float) -> str:
    return f"validation is {_percent(share)} of the work"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _interval(strategy: Strategy, counts: Counts) -> tuple[int, str]:
    """The interval, and what keeps it from being longer."""
    per_epoch = counts.steps_per_epoch
    if strategy.validate_every == AUTO:
        affordable = math.ceil(counts.per_look * (1 - SHARE) / SHARE)
        wanted = (max(per_epoch, affordable), "each phase ends with a validation")
        interval, reason = min([wanted, *_bounds(strategy, per_epoch)], key=lambda bound: bound[0])
    else:
        interval, reason = Amount.parse(strategy.validate_every).steps(steps_per_epoch=per_epoch), ""
    every = decision_interval(strategy, per_epoch)
    if every and every < interval:
        interval, reason = every, "a controller decides after validations (strategy.controller.every)"
    return max(1, interval), reason


def _bounds(strategy: Strategy, per_epoch: int) -> Iterator[tuple[int, str]]:
    """The longest intervals that leave every part of the run enough validations, each with its reason.

    An expanded phase counts as one, so that the network has no say in it; each of its levels ends with a validation.
    """
    budget = budget_steps(strategy, per_epoch)
    for options, steps in zip(strategy.phases, _written(strategy, per_epoch), strict=True):
        looks = LOOKS if options.plateau is None else max(LOOKS, options.plateau.patience + 2)  # the first is the best
        if steps > 0:
            yield steps // looks, f"{'five' if looks == LOOKS else looks} looks per phase"
    averaging = strategy.averaging
    if averaging is not None and averaging.kind == "swa":  # takes in the weights of each validation
        steps = max(per_epoch, (budget - averaging_start(strategy, per_epoch)) // LOOKS)
        yield steps, "swa averages the weights of validations"
    elif averaging is not None and "soup" in averaging.kind:
        yield budget // max(LOOKS, averaging.size), "a soup is of the weights of validations"


def _written(strategy: Strategy, per_epoch: int) -> list[int]:
    """Optimizer steps of each of the strategy's phases."""
    budget = budget_steps(strategy, per_epoch)
    lengths = written_lengths(strategy, budget, per_epoch)
    left = max(0, budget - sum(length or 0 for length in lengths))
    return [left if length is None else length for length in lengths]


def _lengths(strategy: Strategy, counts: Counts, phases: Sequence[PhasePlan]) -> list[int]:
    """Optimizer steps of each phase, run one after the other."""
    total = budget_steps(strategy, counts.steps_per_epoch)
    found: list[int] = []
    for phase in phases:
        found.append(phase.length(sum(found), total))
    return found


def _without_plateau(phases: Sequence[PhasePlan], lengths: Sequence[int], interval: int) -> Iterator[str]:
    """Say of the levels of an expanded phase that they are too short for its plateau to end one."""
    short: dict[int, int] = {}
    for phase, steps in zip(phases, lengths, strict=True):
        plateau = phase.options.plateau
        if plateau is not None and phase.options.expand is not None and steps <= (plateau.patience + 1) * interval:
            short[phase.origin] = short.get(phase.origin, 0) + 1
    for origin, count in short.items():
        every = sum(phase.origin == origin for phase in phases)
        key = f"strategy.phases.{origin}.plateau"
        yield f"{key} cannot end {count} of its {every} levels early, which have too few validations for its patience"
