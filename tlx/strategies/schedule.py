"""The learning rate over time: closed forms in (step, length), so a resumed run needs no scheduler state."""

from __future__ import annotations

import math

from tlx.config.amount import Amount
from tlx.config.strategy import Phase, Schedule

_ONE_CYCLE_END = 1e-5  # 1 / fastai's div_final
_SLANTED_RATIO = 32  # how much smaller the lowest rate is (ULMFiT, equation 3)


def factor(schedule: Schedule, step: int, length: int) -> float:
    """The learning rate at ``step`` of ``length``, as a share of the full one: a warm-up, then the shape.

    Linear warm-ups end at 1, and no step has rate 0, so every step moves what it trains. ``one_cycle`` is
    the rate of fastai's ``fit_one_cycle`` (Smith 2018), without its cycle of momentum, ``slanted`` equation 3 of ULMFiT
    (Howard & Ruder 2018).
    """
    share = Amount.parse(schedule.warmup).value / 100
    warm = round(share * length)
    if schedule.shape == "one_cycle":
        position = step / length
        if position < share:
            return _cosine(1 / schedule.div, 1.0, position / share)
        return _cosine(1.0, _ONE_CYCLE_END, (position - share) / max(1 - share, 1e-12))
    if schedule.shape == "slanted":
        rising = step / warm if step < warm else 1 - (step - warm) / max(1, length - warm)
        return (1 + rising * (_SLANTED_RATIO - 1)) / _SLANTED_RATIO
    if step < warm:
        return (step + 1) / warm
    if schedule.shape == "constant":
        return 1.0
    progress = (step - warm) / max(1, length - warm)
    return 1 - progress if schedule.shape == "linear" else _cosine(1.0, 0.0, progress)


def entry(phase: Phase, step: int, length: int) -> float:
    """The factor of a phase's own warm-up at its ``step`` of ``length``."""
    if phase.warmup is None:
        return 1.0
    warm = Amount.parse(phase.warmup).steps(steps_per_epoch=1, budget=length)
    return min(1.0, (step + 1) / warm) if warm else 1.0


def _cosine(start: float, end: float, position: float) -> float:
    return start + (end - start) * 0.5 * (1 - math.cos(math.pi * position))
