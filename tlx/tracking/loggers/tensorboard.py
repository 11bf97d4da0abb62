"""Writes TensorBoard's event files into ``tensorboard`` in the run folder: scalars and settings.

The settings are there as a text and as hparams. tensorboardX writes them, which needs no TensorBoard; the command
``tensorboard --logdir runs`` shows them. Its writer with a thread is not used: a full disk would end that thread, and
then training would wait for it for ever.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from tlx.config import loggers
from tlx.files import marks
from tlx.tracking.logger import Logger, MetricRow, RunInfo

FOLDER, KIND = "tensorboard", "TensorBoard events"
NAMES = re.compile(r"events\.out\.tfevents\.[\w.\-]+")
_SAFE = 1.0  # seconds of rows that the death of the process may take; a trial that goes on writes them again


class TensorBoardLogger(Logger):
    """Writes one event file, in place of those that an interrupted process has left."""

    def __init__(self, options: loggers.TensorBoard) -> None:
        self._writer: Any = None
        self._flushed = 0.0
        self._params: dict[str, str] = {}

    def open(self, run: RunInfo) -> None:
        """Begin a file with the settings; raises :class:`~tlx.files.marks.NotOurs` in a folder of somebody else's."""
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter

        folder = run.folder / FOLDER
        marks.claim(folder, KIND)
        _empty(folder)
        self._writer, self._params = EventsWriter(str(folder / "events")), dict(run.params)
        metrics = dict.fromkeys([f"val/{run.metric}", f"test/{run.metric}"] if run.metric else [], 0.0)
        experiment, begins, _ = summary.hparams(self._params, metrics)
        settings = {**run.params, **run.tags}
        lines = ["| setting | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in settings.items())]
        for found in (experiment, begins, summary.text("settings", "\n".join(lines))):
            self._write(found, 0, time.time())
        self.flush()

    def row(self, row: MetricRow) -> None:
        """Write a scalar for each metric, and the epoch."""
        from tensorboardX.proto.summary_pb2 import Summary

        values = {**row.values, "epoch": row.epoch}.items()
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values if value is not None]
        self._write(Summary(value=scalars), row.step, row.time)
        if time.monotonic() - self._flushed >= _SAFE:
            self.flush()

    def flush(self) -> None:
        """Have everything on the disk."""
        self._writer.flush()
        self._flushed = time.monotonic()

    def close(self, status: str) -> None:
        """End the session in the hparams, where the trial is finished, and the file."""
        from tensorboardX import summary

        if status == "FINISHED":
            self._write(summary.hparams(self._params, {})[2], 0, time.time())
        self._writer.close()

    def _write(self, found: Any, step: int, at: float) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._writer.write_event(Event(wall_time=at, step=step, summary=found))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if NAMES.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
            path.unlink()
