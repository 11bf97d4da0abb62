"""Tells a trial's loggers of its event log, from the log's first row on; none of them can hurt training."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tlx.components.parts import loggers
from tlx.components.registry import Component
from tlx.config.schema import Trial
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.tracking import event_log
from tlx.tracking.logger import Logger, MetricRow, RunInfo

_TOLD = ("start", "metrics")  # of what was in the event log before
_log = logging.getLogger("tlx.tracking")
Say = Callable[[str], None]


def feed(trial: Trial, folder: Path, say: Say = lambda line: None) -> LoggerFeed | None:
    """Make the loggers that a configuration names.

    Args:
        trial: The configuration.
        folder: The trial's run folder.
        say: Hears what the loggers have to say.

    Returns:
        What an :class:`~tlx.tracking.event_log.EventLog` tells of its rows; None where no logger is named.
    """
    makers = {part.kind: partial(_make, part, getattr(trial.loggers, part.kind)) for _, part in loggers(trial)}
    return LoggerFeed(folder, makers, say) if makers else None


class LoggerFeed:
    """Passes events on to loggers; one that raises is left out from then on, which is said once."""

    def __init__(self, folder: Path, makers: Mapping[str, Callable[[], Logger]], say: Say = lambda line: None) -> None:
        """Make none of them yet.

        Args:
            folder: The run folder whose event log they are told of.
            makers: What makes each logger, by its name.
            say: Hears what they have to say.
        """
        self._folder, self._makers, self._say = folder, makers, say
        self._loggers: dict[str, Logger] | None = None

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Pass on an event that was just written; the first time, all that the event log has."""
        if self._loggers is None:
            self._loggers = {}
            for name, make in self._makers.items():
                self._try(name, partial(self._add, name, make))
            for row in event_log.read(self._folder) if self._loggers else ():
                if row["event"] in _TOLD:
                    self._tell(row)
        elif event["event"] in _TOLD:
            self._tell(event)
        if event["event"] == "end":
            self._all(lambda one: one.close(str(event["status"])))
            self._loggers = {}

    def on_sync(self) -> None:
        """Have them write what they have not yet written."""
        self._all(lambda one: one.flush())

    def _add(self, name: str, make: Callable[[], Logger]) -> None:
        assert self._loggers is not None
        self._loggers[name] = make()

    def _tell(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "start":
            run = _run(self._folder, event, self._say)
            self._all(lambda one: one.open(run))
        else:
            row = MetricRow(event["step"], event["epoch"], event["values"], event["time"] / 1000)
            self._all(lambda one: one.row(row))

    def _all(self, call: Callable[[Logger], None]) -> None:
        for name, one in list((self._loggers or {}).items()):
            self._try(name, partial(call, one))

    def _try(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # whatever a logger or its library raises: the event log is whole
            (self._loggers or {}).pop(name, None)
            reason = printable(redacted(f"{type(error).__name__}: {error}"))
            where = printable(self._folder.name)
            _log.warning("loggers.%s stops at %s (%s); training goes on without it", name, where, reason)


def _make(part: Component, options: Any) -> Logger:
    made: Logger = part.function()(options)  # imports its code
    return made


def _run(folder: Path, start: Mapping[str, Any], say: Say) -> RunInfo:
    metric = start.get("metric") or {}
    return RunInfo(
        folder=folder,
        attempt=str(start.get("attempt", "")),
        name=str(start.get("name", folder.name)),
        experiment=str(start.get("experiment", "")),
        params=start.get("params", {}),
        tags=start.get("tags", {}),
        metric=str(metric.get("name", "")),
        say=say,
    )
