"""``mlflow.json`` in a run folder: which MLflow run it is, and up to which byte that has the event log.

It is a note to ourselves. One that is lost, or not what we write, is no note, and the run is looked up in the store.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from tlx.files import durable, foreign
from tlx.files.secrets import redacted
from tlx.tracking import event_log

FILE = "mlflow.json"
ID = re.compile("[0-9a-f]{32}")  # of a run, and of an attempt
_LARGEST = 1 << 16  # bytes


@dataclass
class State:
    """What MLflow has of a run folder."""

    uri: str  # the store, without its secrets
    attempt: str  # the event log's
    run_id: str
    at: int = 0  # bytes of the event log that were sent
    parent: str | None = None  # the run that it was put under
    described: bool = False  # parameters and data set are there
    last: str = ""  # the event that was sent last


def read(folder: Path, uri: str | None = None) -> State | None:
    """The note of a folder (on this store); None without one that can be read and could be true."""
    try:
        found = State(**foreign.json_file(folder / FILE, State, _LARGEST))
    except (FileNotFoundError, foreign.Unreadable):
        return None
    if uri is not None and found.uri != redacted(uri):
        return None
    names = [found.run_id, found.attempt, *([found.parent] if found.parent is not None else [])]
    if not all(ID.fullmatch(name) for name in names) or not 0 <= found.at <= event_log.size(folder):
        return None
    return found


def write(folder: Path, state: State) -> None:
    """Note what was sent."""
    durable.write(folder / FILE, json.dumps(asdict(state)))


def run_id(folder: Path, uri: str | None = None) -> str | None:
    """The MLflow run of a run folder, as its note has it; with ``uri`` that of this store."""
    found = read(folder, uri)
    return found.run_id if found is not None else None
