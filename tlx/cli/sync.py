"""tlx sync [folder]: send to MLflow what could not be sent during training. Again is harmless.

tlx sync
tlx sync runs
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, Problem
from tlx.tracking import journal, mirror, store
from tlx.tracking.options import Tracking


def run(words: list[str]) -> int:
    """The verb."""
    root = Path(words[0] if words else "runs")
    folders = sorted(path.parent for path in root.glob(f"**/{journal.FILE}"))
    if not folders:
        raise ConfigError([Problem("folder", "holds no run folders", root)])
    parents = {
        root / row["folder"]: folder for folder in folders for row in journal.read(folder) if row["event"] == "child"
    }
    clients: dict[str, Any] = {}
    for folder in sorted(folders, key=lambda one: one in parents):  # sweeps before their trials
        first = next(journal.read(folder), None)
        if first is None or first["tracking"]["kind"] == "none":
            continue
        uri = store.uri(Tracking(uri=first["tracking"]["uri"]))
        clients.setdefault(uri, store.client(uri))
        mirror.send(clients[uri], uri, folder, parents.get(folder))
    print(f"{len(folders)} run folders are in {', '.join(clients) or 'no store: tracking was off'}")
    return 0
