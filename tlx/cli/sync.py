"""tlx sync [folder]: send to MLflow what could not be sent during training. Again is harmless.

tlx sync
tlx sync runs
"""

from __future__ import annotations

from pathlib import Path

from tlx.config.errors import ConfigError, Problem
from tlx.tracking import journal, sync


def run(words: list[str]) -> int:
    """The verb."""
    root = Path(words[0] if words else "runs")
    folders = sorted(path.parent for path in root.glob(f"**/{journal.FILE}"))
    if not folders:
        raise ConfigError([Problem("folder", "holds no run folders", root)])
    stores = sync.send(folders)
    print(f"{len(folders)} run folders are in {', '.join(stores) or 'no store: tracking was off'}")
    return 0
