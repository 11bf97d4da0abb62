"""A trial's own record: one JSON object per line, sealed, appended and never changed. MLflow is made from it."""

from __future__ import annotations

import itertools
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tlx.record.seal import opened, sealed

FILE = "journal.jsonl"
_SHAPES: dict[str, dict[str, type | tuple[type, ...]]] = {  # what readers rely on; other events are theirs who ask
    "start": {"time": int, "tags": dict, "params": dict, "name": str, "tracking": dict},
    "metrics": {"time": int, "step": int, "epoch": (int, float), "values": dict},
    "end": {"time": int, "status": str, "reason": str},
    "trials": {"folders": list},
    "child": {"folder": str},
}
_TAIL = 1 << 16  # bytes; an end has a traceback
_SAFE = 1.0  # seconds of rows that a power cut may take; the death of a process takes none


class Journal:
    """Appends events: with the kernel before the call returns, on the disk within a second, the last one at once."""

    def __init__(self, folder: Path | None) -> None:
        """A journal in ``folder``, or one that writes nothing (``None``: ranks other than the first)."""
        self.path = folder / FILE if folder is not None else None
        self._synced = 0.0

    def begin(self, **fields: Any) -> None:
        """Append the first event of an attempt, under an id of its own: a clock cannot tell two attempts apart."""
        self.write("start", attempt=uuid.uuid4().hex, **fields)

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the time in milliseconds."""
        if self.path is None:
            return
        row = {"event": event, "time": time.time_ns() // 1_000_000, **fields}
        with self.path.open("a+b") as stream:
            if stream.tell() and not _ends_a_line(stream):  # a torn line stays a line of its own
                stream.write(b"\n")
            stream.write((sealed(json.dumps(row, allow_nan=True)) + "\n").encode())
            stream.flush()
            if event == "end" or time.monotonic() - self._synced >= _SAFE:
                os.fsync(stream.fileno())
                self._synced = time.monotonic()


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The events of a run folder; a line that was torn, or altered since, is left out."""
    return (row for row in _lines(folder) if row is not None)


def is_ended(folder: Path) -> bool:
    """Is the last line an attempt's end? (only the last kilobytes are looked at)"""
    path = folder / FILE
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        stream.seek(max(0, size(folder) - _TAIL))
        lines = stream.read().splitlines()
    row = _row(lines[-1].decode(errors="replace")) if lines else None
    return row is not None and row["event"] == "end"


def size(folder: Path) -> int:
    """Bytes of the journal; 0 without one."""
    path = folder / FILE
    return path.stat().st_size if path.is_file() else 0


def since(folder: Path, at: int, most: int) -> tuple[list[dict[str, Any]], int]:
    """At most so many lines that begin at byte ``at``, and the byte behind them; a line without its end is not there
    yet.
    """
    path, found = folder / FILE, list[dict[str, Any]]()
    if not path.is_file():
        return found, at
    with path.open("rb") as stream:
        stream.seek(at)
        for line in itertools.islice(stream, most):
            if not line.endswith(b"\n"):
                break
            at += len(line)
            if (row := _row(line.decode(errors="replace"))) is not None:
                found.append(row)
    return found, at


def damaged(folder: Path) -> int:
    """How many lines are not what was written."""
    return sum(row is None for row in _lines(folder))


def _lines(folder: Path) -> Iterator[dict[str, Any] | None]:
    path = folder / FILE
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
            yield from map(_row, stream)


def _row(line: str) -> dict[str, Any] | None:
    row = opened(line)
    return row if row is not None and _is_sound(row) else None


def _is_sound(row: Mapping[str, Any]) -> bool:
    """Has it what those need who read it? (whoever knows how could seal anything)"""
    event = row.get("event")
    if not isinstance(event, str):
        return False
    shape = _SHAPES.get(event, {})
    return all(name not in row or isinstance(row[name], kind) for name, kind in shape.items()) and (
        event in ("start",) or shape.keys() <= row.keys()
    )


def attempt(folder: Path) -> str:
    """The id of the attempt the journal is of; empty without one."""
    return str(next(read(folder), {}).get("attempt", ""))


def members(folder: Path) -> Iterator[str]:
    """The trials of a sweep, by their folders' names, some more than once; what leads elsewhere is no name."""
    names = (name for row in read(folder) if row["event"] == "trials" for name in row["folders"])
    return (name for name in names if isinstance(name, str) and name == Path(name).name and name not in ("", ".."))


def _ends_a_line(stream: BinaryIO) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The metric rows: ``{step, epoch, values}``, in order."""
    return [row for row in read(folder) if row["event"] == "metrics"]


def first_difference(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> str | None:
    """Where two journals part: step, metric and both values; null where they do not."""
    for before, after in zip(then, now, strict=False):
        if before["step"] != after["step"]:
            return f"step {min(before['step'], after['step'])}, which only one of them has"
        for name in dict.fromkeys((*before["values"], *after["values"])):
            a, b = before["values"].get(name), after["values"].get(name)
            if a != b and not (a != a and b != b):
                return f"step {before['step']}: {name} {a!r} -> {b!r}"
    if len(then) != len(now):
        return f"row {min(len(then), len(now)) + 1}, which only one of them has"
    return None


def set_aside(folder: Path) -> None:
    """Keep the journal of an earlier attempt under a number of its own."""
    path = folder / FILE
    if path.is_file():
        attempt = 1
        while (kept := folder / f"journal.{attempt}.jsonl").exists():
            attempt += 1
        path.rename(kept)
