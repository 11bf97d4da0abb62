"""tlx sync [folder]: send to MLflow what could not be sent during training. Again is harmless.

tlx sync
tlx sync runs
"""

from __future__ import annotations

from pathlib import Path

from tlx.config.errors import ConfigError, Problem
from tlx.tracking import journal, mirror, store
from tlx.tracking.options import Tracking


def run(words: list[str]) -> int:
    """The verb."""
    root = Path(words[0] if words else "runs")
    folders = sorted(path.parent for path in root.glob(f"**/{journal.FILE}"))
    if not folders:
        raise ConfigError([Problem("folder", "holds no run folders", root)])
    uri = store.uri(Tracking())
    client = store.client(uri)
    for folder in folders:
        mirror.send(client, uri, folder)
    print(f"{len(folders)} run folders are in {uri}")
    return 0
