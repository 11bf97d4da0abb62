"""An event log with loggers: rows that they are told of, and what they are told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tlx.tracking.event_log import EventLog
from tlx.tracking.logger import Logger, MetricRow, RunInfo
from tlx.tracking.logger_feed import LoggerFeed

VALUES: list[tuple[int, dict[str, float | None]]] = [
    (0, {"finetune/phase": 1.0}),
    (2, {"finetune/phase": 1.0, "train/loss": 0.1 + 0.2, "val/acc": None}),
    (2, {"grad_norm/head": 3.5e-7}),
    (4, {"finetune/phase": 1.0, "train/loss": float("nan"), "val/acc": 0.25}),
    (4, {"test/acc": 1.0}),
]


class Recording(Logger):
    """Keeps what it is told."""

    def __init__(self, options: object = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.run: RunInfo | None = None

    def open(self, run: RunInfo) -> None:
        self.run = run
        self.told.append(("open", run.attempt))

    def row(self, row: MetricRow) -> None:
        self.told.append(("row", row.step, dict(row.values)))

    def flush(self) -> None:
        self.told.append(("flush",))

    def close(self, status: str) -> None:
        self.told.append(("close", status))


def _same(logger: Logger) -> Logger:
    return logger


def opened(folder: Path, **named: Logger) -> EventLog:
    """The event log of a folder, told to these loggers."""
    folder.mkdir(parents=True, exist_ok=True)
    return EventLog(folder, LoggerFeed(folder, {name: partial(_same, one) for name, one in named.items()}))


def begin(events: EventLog, **more: Any) -> None:
    """The first row of an attempt."""
    start: dict[str, Any] = {
        "name": "a trial",
        "experiment": "tlx/trials",
        "params": {"seed": "0", "strategy.lr": "0.1"},
        "tags": {"tlx.identity": "0123456789abcdef"},
        "metric": {"name": "acc", "goal": "max"},
    }
    events.begin(**(start | more))


def write(events: EventLog, values: list[tuple[int, dict[str, float | None]]]) -> None:
    for step, row in values:
        events.write("metrics", step=step, epoch=step / 4, values=row)


def numbers(values: Mapping[str, float | None]) -> dict[str, str]:
    """Values as they are compared: NaN is what it is."""
    return {name: repr(value) for name, value in values.items() if value is not None}
