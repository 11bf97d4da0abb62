"""MLflow runs that say RUNNING although nothing runs: whoever ran them died without a word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlx.files import foreign
from tlx.runs.lock import is_locked
from tlx.tracking import event_log, sending

_YOUNG = 60  # seconds in which a run may not have its lock yet
_PAGE = 1000


def close(client: Any, uri: str, *, really: bool = True) -> list[tuple[str, str]]:
    """Give dead runs of this machine's folders their true status; their names, and what became of them.

    A run whose event log has its end gets that; one whose folder nobody holds is KILLED. Runs whose folder is not on
    this machine are left alone. Without ``really`` it is only said. The folders are those that the store names: they
    are read where they hold an event log, and written to only where they name the same run themselves.
    """
    found = []
    for run in _running(client):
        folder = Path(run.data.tags.get(sending.FOLDER, ""))
        young = time.time() - run.info.start_time / 1000 < _YOUNG
        if not folder.is_absolute() or not event_log.size(folder) or is_locked(folder) or young:
            continue
        status = _status(client, uri, run, folder, really)
        if really:
            if status == "KILLED":
                client.set_tag(run.info.run_id, sending.REASON, "its process is gone")
            client.set_terminated(run.info.run_id, status=status)
        found.append((str(run.info.run_name), status))
    return found


def _status(client: Any, uri: str, run: Any, folder: Path, really: bool) -> str:
    """What a run came to, as its folder has it; what is left to send of that is sent."""
    mine = sending.own_run(client, uri, folder) == run.info.run_id
    last = event_log.last(folder) if mine else {}
    if last.get("event") != "end" or last["status"] not in sending.STATUSES:
        return "KILLED"
    if really:
        try:
            sending.send(client, uri, folder)
        except foreign.Unreadable:  # somebody altered it; how it ended, it says
            return "KILLED"
    return str(last["status"])


def _running(client: Any) -> Iterator[Any]:
    experiments = [one.experiment_id for one in client.search_experiments()]
    token: str | None = None
    while experiments:
        page = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=_PAGE, page_token=token)
        yield from list(page)
        token = page.token
        if not token:
            return
