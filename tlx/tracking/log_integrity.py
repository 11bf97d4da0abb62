"""Is an event log what its trial wrote? A hash of its metrics, kept elsewhere, and the rows whose checksum is wrong."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from tlx.files import foreign
from tlx.files.checksum import without_checksum
from tlx.tracking import event_log

_WHOLE = re.compile(rb'^\{"event": .*"sum": "[0-9a-f]{8}"\}\s*$')  # a line that was torn has no such end


def metrics_sha(folder: Path) -> str:
    """Hash the rows of metrics: steps, epochs and values to the last bit, in order, without the times."""
    found = hashlib.sha256()
    for row in event_log.events(folder, "metrics"):
        found.update(json.dumps([row["step"], row["epoch"], row["values"]]).encode())
    return found.hexdigest()


def altered_rows(folder: Path) -> list[int]:
    """The numbers of the lines, from 1, that are whole and yet not what was written.

    A line that was torn by a power cut is none of them: the trial goes on behind it, and writes what it held again.
    """
    try:
        stream = foreign.reading(folder / event_log.FILE)
    except (FileNotFoundError, foreign.Unreadable):
        return []
    with stream:
        return [
            number
            for number, line in enumerate(stream, start=1)
            if _WHOLE.match(line) and without_checksum(line.decode(errors="replace")) is None
        ]
