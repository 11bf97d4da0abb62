"""The contract of a logger: what it is told of a trial's event log.

A logger is a view of the event log. It is told of the log from its first row on, each time that a process begins or
goes on with the trial: what an interrupted process had told it is told again, and replaces that. So it has every row
once. It is told by the first process of a trial alone. What it raises is said once and ends it, never the training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunInfo:
    """The trial whose rows a logger is about to be given.

    Args:
        folder: Its run folder, which exists.
        attempt: An id of its own for each time the trial is begun anew; the same when it goes on.
        name: What it is called.
        experiment: What it is grouped under, in MLflow as well.
        params: The settings that trials are compared by.
        tags: Identity, versions and fingerprints, each under a name that begins with ``tlx.``.
        metric: What models of its task are compared by; empty where it broke before that was known.
        say: Shows a line to whoever waits for the trial.
    """

    folder: Path
    attempt: str
    name: str
    experiment: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metric: str
    say: Callable[[str], None]


@dataclass(frozen=True)
class MetricRow:
    """A row of metrics.

    Args:
        step: Optimizer steps taken.
        epoch: Passes over the data; it may be a fraction.
        values: By name; None where a metric is undefined.
        time: When it was recorded, in seconds since 1970.
    """

    step: int
    epoch: float
    values: Mapping[str, float | None]
    time: float


class Logger:
    """Does nothing at any time; override what is wanted. It draws no random numbers that training draws from."""

    def open(self, run: RunInfo) -> None:
        """Begin the record of a trial; what an earlier process has written of the same trial is replaced."""

    def row(self, row: MetricRow) -> None:
        """Take the next row."""

    def flush(self) -> None:
        """Have every row where it will be found: a state or a result is about to be written that follows from them."""

    def close(self, status: str) -> None:
        """End the record: the trial is ``FINISHED``, ``FAILED``, or was stopped and may go on later (``KILLED``)."""
