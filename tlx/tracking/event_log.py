"""A trial's own record: one JSON object per line, sealed, appended and never changed. MLflow is made from it.

Rows are on the disk within a second, and all of them before a state or a result that follows from them
(:meth:`EventLog.sync`). Readers that want a few rows of a long event log look at its ends, or for rows by their event.
"""

from __future__ import annotations

import json
import os
import stat
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum

FILE = "events.jsonl"
_SHAPES: dict[str, dict[str, Any]] = {  # what readers rely on; other events are theirs who ask
    "start": {"time": int, "tags": dict[str, str], "params": dict[str, str], "name": str, "experiment": str}
    | {"attempt": str, "tracking": dict[str, str | None]},
    "metrics": {"time": int, "step": int, "epoch": float, "values": dict[str, float | None]},
    "end": {"time": int, "status": str, "reason": str},
    "trials": {"folders": list},
    "child": {"folder": str},
    "phase": {"number": int, "name": str, "start": int, "rates": dict[str, float]},
    "resume": {},
}
_LATEST = 1 << 53  # milliseconds and steps beyond which no clock and no run is
_TAILS = (1 << 16, 1 << 20, 1 << 25)  # bytes at the end of an event log that are looked at, one after the other
_CHUNK = 1 << 20  # bytes read at a time when rows are looked for
_LONGEST = 1 << 24  # bytes of a line; a longer one is none of ours
_SAFE = 1.0  # seconds of rows that a power cut may take; the death of a process takes none


class Listener(Protocol):
    """Whoever is told of what an event log writes, once it is written."""

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Take an event, as it reads in the log."""

    def on_sync(self) -> None:
        """Take it that every row so far has to be on the disk."""


class EventLog:
    """Appends events: with the kernel before the call returns, on the disk within a second, the last one at once."""

    def __init__(self, folder: Path | None, listener: Listener | None = None) -> None:
        """An event log in ``folder``, or one that writes nothing (``None``: ranks other than the first).

        Args:
            folder: A run folder.
            listener: Is told of each row, and of each :meth:`sync`.
        """
        self.path = folder / FILE if folder is not None else None
        self._listener = listener
        self._synced = 0.0

    def begin(self, **fields: Any) -> None:
        """Append the first event of an attempt, under an id of its own: a clock cannot tell two attempts apart."""
        self.write("start", attempt=uuid.uuid4().hex, **fields)

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the time in milliseconds."""
        if self.path is None:
            return
        row = {"event": event, "time": time.time_ns() // 1_000_000, **fields}
        with durable.appending(self.path) as stream:
            if stream.tell() and not _ends_a_line(stream):  # a torn line stays a line of its own
                stream.write(b"\n")
            stream.write((with_checksum(json.dumps(row, allow_nan=True)) + "\n").encode())
            stream.flush()
            if event in ("start", "end") or time.monotonic() - self._synced >= _SAFE:
                os.fsync(stream.fileno())
                self._synced = time.monotonic()
        if self._listener is not None:
            self._listener.on_event(row)

    def sync(self) -> None:
        """Have every row on the disk, before something is written that goes on from there."""
        if self.path is not None and self.path.exists():
            with durable.appending(self.path) as stream:
                os.fsync(stream.fileno())
            self._synced = time.monotonic()
        if self._listener is not None:
            self._listener.on_sync()


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The events of a run folder; a line that was torn, or altered since, is left out."""
    return (row for row in _lines(folder) if row is not None)


def first(folder: Path) -> dict[str, Any]:
    """The first event, with which an attempt begins; empty without one."""
    return next(read(folder), {})


def last(folder: Path, event: str = "") -> dict[str, Any]:
    """The last event (of a name), looked for from the end; empty where its last megabytes have none."""
    for wanted in _TAILS:
        for line in reversed(_tail(folder, wanted)):
            if (row := _row(line) if line.startswith(_head(event)) else None) is not None:
                return row
        if wanted >= size(folder):
            break
    return {}


def events(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The events of one name, in order; other rows are passed over without being read as JSON."""
    needle, rest = b"\n" + _head(name), b"\n"
    with _reading(folder) as stream:
        while chunk := stream.read(_CHUNK):
            block = rest + chunk
            at = block.find(needle)
            while at >= 0 and (end := block.find(b"\n", at + 1)) >= 0:
                if (row := _row(block[at + 1 : end])) is not None:
                    yield row
                at = block.find(needle, end)
            rest = block[at:] if at >= 0 else block[-len(needle) :]
            rest = rest if len(rest) <= _LONGEST else b""
    if rest.startswith(needle) and (row := _row(rest[1:])) is not None:  # the last line has no end
        yield row


def ended(folder: Path) -> str:
    """How an attempt ended whose end is the last line (FINISHED, FAILED, ...); empty where it is none.

    Only the last kilobytes are looked at.
    """
    lines = _tail(folder, _TAILS[0])
    row = _row(lines[-1]) if lines else None
    return str(row.get("status", "")) if row is not None and row["event"] == "end" else ""


def size(folder: Path) -> int:
    """Bytes of the event log; 0 without one."""
    try:
        found = os.lstat(folder / FILE)
    except (OSError, ValueError):  # no such name, or none that there can be
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def since(folder: Path, at: int, most: int) -> tuple[list[dict[str, Any]], int]:
    """At most so many lines that begin at byte ``at``, and the byte behind them; a line without its end is not there
    yet.
    """
    found = list[dict[str, Any]]()
    with _reading(folder) as stream:
        stream.seek(at)
        for _ in range(most):
            line, length = _line(stream)
            if not line.endswith(b"\n"):
                break
            at += length
            if (row := _row(line)) is not None:
                found.append(row)
    return found, at


def damaged(folder: Path) -> int:
    """How many lines are not what was written."""
    return sum(row is None for row in _lines(folder))


def attempt(folder: Path) -> str:
    """The id of the attempt the event log is of; empty without one."""
    return str(first(folder).get("attempt", ""))


def members(folder: Path) -> dict[str, str]:
    """The trials of a sweep: how each is called, by its folder's name; what leads elsewhere is no name."""
    found: dict[str, str] = {}
    for row in events(folder, "trials"):
        told: Any = row.get("labels")
        labels = told if foreign.conforms(told, list[str]) else row["folders"]
        for name, label in zip(row["folders"], labels, strict=False):
            if foreign.is_name(name):
                found.setdefault(name, label)
    return found


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The metric rows: ``{step, epoch, values}``, in order."""
    return list(events(folder, "metrics"))


def first_difference(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> str | None:
    """Where two event logs part: step, metric and both values; None where they do not."""
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
    """Keep the event log of an earlier attempt under a number of its own."""
    path = folder / FILE
    if os.path.lexists(path):
        attempt = 1
        while os.path.lexists(kept := folder / f"events.{attempt}.jsonl"):
            attempt += 1
        durable.move(path, kept)


def _head(event: str) -> bytes:
    """How a row of this event begins, or of any."""
    return f'{{"event": {json.dumps(event)},'.encode() if event else b""


class _reading:
    """The event log of a folder, open for reading; what is no regular file reads as nothing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def __enter__(self) -> BinaryIO:
        try:
            self._stream = foreign.reading(self._path)
        except (FileNotFoundError, foreign.Unreadable):
            self._stream = open(os.devnull, "rb")
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _lines(folder: Path) -> Iterator[dict[str, Any] | None]:
    with _reading(folder) as stream:
        while (found := _line(stream))[1]:
            yield _row(found[0])


def _line(stream: BinaryIO) -> tuple[bytes, int]:
    """The next line, and its length; one that is too long is read as nothing."""
    line = more = stream.readline(_LONGEST)
    length = len(line)
    while more and not more.endswith(b"\n"):
        more = stream.readline(_LONGEST)
        length += len(more)
    return (line if length == len(line) else b"\n" if more else b""), length


def _tail(folder: Path, wanted: int) -> list[bytes]:
    """The whole lines within so many bytes of the end."""
    with _reading(folder) as stream:
        start = max(0, size(folder) - wanted)
        stream.seek(start)
        lines = stream.read(wanted).splitlines()
    return lines[1:] if start else lines  # the first one may be the end of a line


def _row(line: bytes) -> dict[str, Any] | None:
    row = without_checksum(line.decode(errors="replace"))
    return row if row is not None and _is_sound(row) else None


def _is_sound(row: Mapping[str, Any]) -> bool:
    """Has it what those need who read it? (whoever knows how could seal anything)"""
    event = row.get("event")
    if not isinstance(event, str):
        return False
    shape = _SHAPES.get(event, {})
    return (
        all(name not in row or foreign.conforms(row[name], kind) for name, kind in shape.items())
        and all(abs(row.get(name, 0)) < _LATEST for name in ("time", "step") if name in shape)
        and (event == "start" or shape.keys() <= row.keys())
    )


def _ends_a_line(stream: BinaryIO) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"
