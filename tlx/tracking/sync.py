"""Sending whole run folders to MLflow, whenever: what it has already is not sent again.

A folder's event log names the store it was recorded for. That may be somebody else's folder, and any address; so what
is not the user's own store, the one that is configured here and now, gets nothing unless the user agrees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError
from tlx.config.tracking import Tracking
from tlx.files import foreign
from tlx.tracking import event_log, sending, store


@dataclass
class Sent:
    """What became of run folders."""

    done: dict[str, list[Path]] = field(default_factory=dict)  # store -> the folders that are in it now
    off: list[Path] = field(default_factory=list)  # recorded without tracking
    elsewhere: dict[str, list[Path]] = field(default_factory=dict)  # another store, as recorded -> its folders
    failed: list[tuple[Path, str]] = field(default_factory=list)  # each with its reason


def send(folders: Iterable[Path], tracking: Tracking | None = None, agreed: bool = False) -> Sent:
    """Send what is new in these run folders, sweeps before their trials; one that cannot be sent stops no other.

    Args:
        folders: Run folders, maybe somebody else's.
        tracking: The user's own store; None is the one of the environment and the working directory.
        agreed: Send also to the stores that the event logs name.

    Raises:
        ConfigError: The user's own store cannot be used.
    """
    own, found = store.uri(tracking or Tracking()), Sent()
    allowed = {own, store.uri(Tracking())} if tracking is not None and tracking.uri else {own}
    starts = _starts(folders, found)
    parents = {folder.parent / name: folder for folder in starts for name in event_log.members(folder)}
    clients: dict[str, Any] = {}
    down: dict[str, str] = {}  # stores that cannot be reached, and why
    for folder in sorted(starts, key=lambda one: one in parents):
        where = starts[folder].tracking
        recorded = where.get("uri")
        if where.get("kind") == "none":
            found.off.append(folder)
            continue
        try:
            uri = store.uri(Tracking(uri=recorded)) if recorded else own
        except ConfigError as error:
            found.failed.append((folder, f"names a store that is not used: {error.problems[0].message}"))
            continue
        if uri not in allowed and not agreed:
            found.elsewhere.setdefault(uri, []).append(folder)
            continue
        if uri not in clients and uri not in down:
            clients[uri] = _opened(uri, down)
        if uri in down:
            found.failed.append((folder, down[uri]))
            continue
        try:
            sending.send(clients[uri], uri, folder, parents.get(folder))
            found.done.setdefault(uri, []).append(folder)
        except foreign.Unreadable as reason:
            found.failed.append((folder, str(reason)))
        except Exception as error:  # whatever the store raises: the next folder may be better, or the store is gone
            found.failed.append((folder, store.failure(error, uri)))
            if not sending.is_refusal(error):
                _opened(uri, down)
    return found


def _starts(folders: Iterable[Path], found: Sent) -> dict[Path, sending.Start]:
    starts = {}
    for folder in folders:
        try:
            starts[folder] = sending.start(folder)
        except (foreign.Unreadable, OSError) as reason:
            found.failed.append((folder, str(reason)))
    return starts


def _opened(uri: str, down: dict[str, str]) -> Any:
    """A client on a store that answers; else None, and the reason is kept."""
    try:
        return store.reached(uri)
    except ConfigError as error:
        down[uri] = error.problems[0].message
        return None
