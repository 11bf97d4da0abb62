"""Ends a phase before its time: when a validation metric no longer improves, or is good enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tlx.config.strategy import Phase

Monitored = Callable[[str | None], tuple[str, str]]  # a metric's name, None for the task's own; and min or max


class Stopper:
    """Judges one metric after each validation. An undefined value is passed over; NaN and infinity end the phase."""

    def __init__(self, name: str, mode: str) -> None:
        self.name = name
        self.sign = 1.0 if mode == "max" else -1.0

    def is_over(self, values: Mapping[str, float | None]) -> bool:
        """Look at a validation; has the phase come to its end?"""
        value = values[self.name]
        if value is None:
            return False
        return not math.isfinite(value) or self._judge(self.sign * value)

    def _judge(self, value: float) -> bool:
        raise NotImplementedError

    def state(self) -> list[float]:
        """What a resumed phase goes on from."""
        return []

    def load(self, state: list[float]) -> None:
        """Go on from :meth:`state`."""


class Threshold(Stopper):
    """As soon as the metric is at least this good."""

    def __init__(self, name: str, mode: str, value: float) -> None:
        super().__init__(name, mode)
        self.wanted = self.sign * value

    def _judge(self, value: float) -> bool:
        return value >= self.wanted


class Plateau(Stopper):
    """After ``patience`` validations in a row that are not better than the best by more than ``min_delta``."""

    def __init__(self, name: str, mode: str, patience: int, min_delta: float) -> None:
        super().__init__(name, mode)
        self.patience = patience
        self.min_delta = min_delta
        self.best = -math.inf
        self.waited = 0

    def _judge(self, value: float) -> bool:
        if value > self.best + self.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def state(self) -> list[float]:
        return [self.best, float(self.waited)]

    def load(self, state: list[float]) -> None:
        self.best, self.waited = state[0], int(state[1])


def stoppers(phase: Phase, monitored: Monitored) -> list[Stopper]:
    """Those of a phase."""
    found: list[Stopper] = []
    if phase.plateau is not None:
        found.append(Plateau(*monitored(phase.plateau.monitor), phase.plateau.patience, phase.plateau.min_delta))
    if phase.threshold is not None:
        found.append(Threshold(*monitored(phase.threshold.monitor), phase.threshold.value))
    return found
