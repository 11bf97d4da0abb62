"""Files of a run folder that MLflow gets, and gives back where the folder is not on this machine.

Only what really lies there is sent: links, pipes and devices never are.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tlx.files import foreign

RECORD = ("config.yaml", "result.json", "evaluation.json", "events.jsonl", "schedule.svg", "report.html", "study.yaml")
# what its trained network is built from again, and what it predicted
MODEL = (
    *("schema.json", "frozen.json", "checkpoint.safetensors", "frozen.safetensors", "plugins.json"),
    *("predictions.jsonl", "per_class.csv", "confusion.csv", "confusion.svg"),
)
NAMES = (*RECORD, *MODEL)
ARCHITECTURE = "architecture"
LARGEST = 128 << 20  # bytes of a file; larger ones stay in the run folder


def upload(client: Any, run: str, folder: Path) -> list[str]:
    """Send a run folder's files.

    MLflow opens paths, and would follow a link that has been put there meanwhile; so what we opened is copied to a
    place of our own first.

    Returns:
        The files that were left out, as they are too large.
    """
    left: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tlx-") as place:
        for name in (*NAMES, *_within(folder)):
            try:
                stream = foreign.reading(folder / name)
            except (FileNotFoundError, foreign.Unreadable):
                continue
            copy = Path(place) / Path(name).name
            with stream:
                if name not in RECORD and os.fstat(stream.fileno()).st_size > LARGEST:
                    left.append(name)
                    continue
                with copy.open("wb") as target:
                    shutil.copyfileobj(stream, target)
            client.log_artifact(run, str(copy), *([ARCHITECTURE] if "/" in name else []))
            copy.unlink()
    return left


def _within(folder: Path) -> list[str]:
    """The files of its architecture, where that is a real folder."""
    place = folder / ARCHITECTURE
    if place.is_symlink() or not place.is_dir():
        return []
    return [f"{ARCHITECTURE}/{path.name}" for path in sorted(place.iterdir()) if not path.name.startswith(".")]
