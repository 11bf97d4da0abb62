"""Writes the rows of metrics as ``metrics.csv``: step, epoch, and a column for each metric, as they turn up."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tlx.config import loggers
from tlx.files import durable, foreign
from tlx.tracking.logger import Logger, MetricRow, RunInfo

FILE = "metrics.csv"


class CsvLogger(Logger):
    """Appends a line for each row; where a metric is new, or the trial ends, the file is replaced as a whole."""

    def __init__(self, options: loggers.Csv) -> None:
        self._path = Path()
        self._columns: list[str] = []
        self._stream: BinaryIO | None = None

    def open(self, run: RunInfo) -> None:
        """Begin a file, in place of what was there."""
        self._path, self._columns = run.folder / FILE, ["step", "epoch"]
        durable.write(self._path, _line(self._columns))
        self._stream = durable.appending(self._path)

    def row(self, row: MetricRow) -> None:
        """Append a line; the kernel has it when this returns."""
        new = [name for name in row.values if name not in self._columns]
        if new:
            self._replace([*self._columns, *new])
        assert self._stream is not None
        values = {**row.values, "step": row.step, "epoch": row.epoch}
        self._stream.write(_line(["" if (value := values.get(name)) is None else value for name in self._columns]))
        self._stream.flush()

    def flush(self) -> None:
        """Have every line on the disk."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())

    def close(self, status: str) -> None:
        """Leave a whole file."""
        self._replace(self._columns)
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _replace(self, columns: list[str]) -> None:
        """Write the file anew with these columns, the first of which it has, and go on behind its last line."""
        if self._stream is not None:
            self._stream.close()
        with durable.replacing(self._path) as partial, foreign.reading(self._path) as old, partial.open("wb") as stream:
            lines = csv.reader(io.TextIOWrapper(old, encoding="utf-8", newline=""))
            next(lines, None)
            stream.write(_line(columns))
            stream.writelines(_line([*line, *[""] * (len(columns) - len(line))]) for line in lines)
        self._columns = columns
        self._stream = durable.appending(self._path)


def _line(cells: Sequence[object]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
