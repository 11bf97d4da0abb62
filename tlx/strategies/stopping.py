"""Ends a phase before its time: when a validation metric no longer improves, or is good enough."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.strategy import Phase, Strategy
from tlx.runs.metric import Metric


class Stopper:
    """Judges one metric after each validation. An undefined value is passed over; NaN and infinity end the phase."""

    def __init__(self, metric: Metric) -> None:
        self.name = metric.name
        self.sign = metric.sign

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

    def __init__(self, metric: Metric, value: float) -> None:
        super().__init__(metric)
        self.wanted = self.sign * value

    def _judge(self, value: float) -> bool:
        return value >= self.wanted


class Plateau(Stopper):
    """After ``patience`` validations in a row that are not better than the best by more than ``min_delta``."""

    def __init__(self, metric: Metric, patience: int, min_delta: float) -> None:
        super().__init__(metric)
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


def stoppers(phase: Phase, metrics: Mapping[str, Metric], primary: str) -> list[Stopper]:
    """Those of a phase; ``primary`` is the metric that is watched where none is named."""
    found: list[Stopper] = []
    if (plateau := phase.plateau) is not None:
        found.append(Plateau(metrics[plateau.monitor or primary], plateau.patience, plateau.min_delta))
    if (threshold := phase.threshold) is not None:
        found.append(Threshold(metrics[threshold.monitor or primary], threshold.value))
    return found


def check(strategy: Strategy, metrics: Collection[str]) -> None:
    """Raise :class:`~tlx.config.errors.ConfigError` where a phase watches what is none of the task's metrics."""
    problems = []
    for i, phase in enumerate(strategy.phases):
        for kind, options in (("plateau", phase.plateau), ("threshold", phase.threshold)):
            name = options.monitor if options is not None else None
            if name is not None and name not in metrics:
                message = f"not a metric of this task{suggest(name, metrics)}; it has {', '.join(metrics)}"
                problems.append(ConfigIssue(f"strategy.phases.{i}.{kind}.monitor", message, name))
    if problems:
        raise ConfigError(problems)
