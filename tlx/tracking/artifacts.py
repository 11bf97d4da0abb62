"""Files of a run folder that MLflow gets: only what really lies there. Links, pipes and devices are never sent."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from tlx.files import foreign

NAMES = ("config.yaml", "result.json", "evaluation.json", "events.jsonl", "schedule.svg", "report.html", "study.yaml")


def upload(client: Any, run: str, folder: Path) -> None:
    """Send a run folder's files.

    MLflow opens paths, and would follow a link that has been put there meanwhile; so what we opened is copied to a
    place of our own first.
    """
    with tempfile.TemporaryDirectory(prefix="tlx-") as place:
        for name in NAMES:
            try:
                stream = foreign.reading(folder / name)
            except (FileNotFoundError, foreign.Unreadable):
                continue
            copy = Path(place) / name
            with stream, copy.open("wb") as target:
                shutil.copyfileobj(stream, target)
            client.log_artifact(run, str(copy))
            copy.unlink()
