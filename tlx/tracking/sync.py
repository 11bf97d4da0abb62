"""Sending whole run folders to MLflow, whenever: what it has already is not sent again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tlx.tracking import journal, mirror, store
from tlx.tracking.options import Tracking


def send(folders: Iterable[Path]) -> list[str]:
    """Send what is new in these run folders, sweeps before their trials; returns the stores they are in now.

    Raises what the store raises when it cannot be reached.
    """
    folders = [folder for folder in folders if journal.attempt(folder)]
    parents = {folder.parent / name: folder for folder in folders for name in journal.members(folder)}
    clients: dict[str, Any] = {}
    for folder in sorted(folders, key=lambda one: one in parents):
        first = next(journal.read(folder))
        if first["tracking"]["kind"] == "none":
            continue
        uri = store.uri(Tracking(uri=first["tracking"]["uri"]))
        if uri not in clients:
            clients[uri] = store.client(uri)
        mirror.send(clients[uri], uri, folder, parents.get(folder))
    return list(clients)
