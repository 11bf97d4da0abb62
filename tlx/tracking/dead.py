"""MLflow runs that say RUNNING although nothing runs: whoever ran them died without a word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlx.tracking import journal, mirror
from tlx.trial.lock import is_locked

_YOUNG = 60  # seconds in which a run may not have its lock yet
_PAGE = 1000


def close(client: Any, uri: str, *, really: bool = True) -> list[tuple[str, str]]:
    """Give dead runs of this machine's folders their true status; their names, and what became of them.

    A run whose journal has its end gets that; one whose folder nobody holds is KILLED. Runs whose folder is not on this
    machine are left alone. Without ``really`` it is only said.
    """
    found = []
    for run in _running(client):
        folder = Path(run.data.tags.get("tlx.folder", ""))
        young = time.time() - run.info.start_time / 1000 < _YOUNG
        if not run.data.tags.get("tlx.folder") or not folder.is_dir() or is_locked(folder) or young:
            continue
        mine = mirror.run_id(folder, uri) == run.info.run_id
        last = list(journal.read(folder))[-1:] if mine else []
        if last and last[0]["event"] == "end":
            status = str(last[0]["status"])
            if really:
                mirror.send(client, uri, folder)
                client.set_terminated(run.info.run_id, status=status)
        else:
            status = "KILLED"
            if really:
                client.set_tag(run.info.run_id, "tlx.status_reason", "its process is gone")
                client.set_terminated(run.info.run_id, status=status)
        found.append((str(run.info.run_name), status))
    return found


def _running(client: Any) -> Iterator[Any]:
    experiments = [one.experiment_id for one in client.search_experiments()]
    token: str | None = None
    while experiments:
        page = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=_PAGE, page_token=token)
        yield from list(page)
        token = page.token
        if not token:
            return
