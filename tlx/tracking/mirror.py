"""MLflow as a view of journals: a background thread sends what is new, and can never hurt training.

Every send is idempotent: ``mlflow.json`` in the run folder remembers the run, and up to which byte it has the journal.
A store that fails is tried again, less and less often; what could not be sent stays in the journal, and ``tlx sync``
sends it later.
"""

from __future__ import annotations

import fcntl
import json
import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tlx.tracking import journal, store
from tlx.tracking.options import Tracking

FILE = "mlflow.json"
_PERIOD, _LONGEST = 2.0, 60.0  # seconds between looks at the journals; the longest, while the store fails
_PATIENCE, _PAUSE = 10.0, 0.2  # seconds to wait at the end for the run of a parent, and between looks for it
_BATCH = 1000  # metrics per request, MLflow's limit
_LINES = 5000  # of a journal, in memory at once
_LONGEST_VALUE = 6000  # characters of a parameter, MLflow's limit
_ARTIFACTS = ("config.yaml", "result.json", "journal.jsonl", "schedule.svg", "report.html", "study.yaml")
_log = logging.getLogger("tlx.tracking")


class Mirror:
    """Sends the journals of the folders it watches. Use as a context manager; leaving it sends the rest."""

    def __init__(self, tracking: Tracking) -> None:
        self.uri = store.uri(tracking) if tracking.kind == "mlflow" else ""
        self.failure = ""  # why the last attempt to send failed, if it did
        self._watched: dict[Path, tuple[Path | None, tuple[str, int]]] = {}  # run folder -> its parent's, what is old
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="mlflow-mirror", daemon=True)
        self._client: Any = None

    def __enter__(self) -> Mirror:
        if self.uri:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.uri:
            self._stop.set()
            self._thread.join()

    def watch(self, folder: Path, parent: Path | None = None) -> None:
        """Mirror this run folder from now on, as a child of another watched folder's run if given."""
        older = _stand(folder)  # an attempt that is over; the one to be watched sets it aside or goes on from it
        with self._lock:
            self._watched.setdefault(folder, (parent, older))

    def is_behind(self, folder: Path) -> bool:
        """Has MLflow not got all of a folder's journal?"""
        return bool(self.uri) and bool(journal.attempt(folder)) and _stand(folder) != self._sent(folder)

    def catch_up(self, *folders: Path, parent: Path | None = None) -> None:
        """Send what MLflow has not got of these: who ran them was killed before it could."""
        for folder in folders:
            if self.is_behind(folder):
                with self._lock:
                    self._watched.setdefault(folder, (parent, self._sent(folder)))

    def _sent(self, folder: Path) -> tuple[str, int]:
        state = _state(folder)
        known = state if state.get("uri") == store.without_password(self.uri) else {}
        return str(known.get("attempt", "")), int(known.get("at", 0))

    def _loop(self) -> None:
        pause = _PERIOD
        while not self._stop.wait(pause):
            self._send_all()
            pause = min(_LONGEST, 2 * pause) if self.failure else _PERIOD
        deadline = time.monotonic() + _PATIENCE
        while self._send_all() and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        if not self.failure:
            self._send_all(orphans=True)

    def _send_all(self, orphans: bool = False) -> bool:
        """Send what is new. Returns whether some wait for the run of a sweep that another process keeps the record of;
        as ``orphans`` they are sent without, for ``tlx sync`` to put right.
        """
        with self._lock:
            watched = list(self._watched.items())
        waiting = False
        for folder, (parent, older) in watched:
            if not journal.attempt(folder) or _stand(folder) == older:
                continue
            if parent is not None and run_id(parent, self.uri) is None and not orphans:
                waiting = True
                continue
            try:
                if self._client is None:
                    _hush()
                    self._client = store.client(self.uri)
                ended = send(self._client, self.uri, folder, parent)
            except Exception as error:  # whatever the store raises, training goes on and the journal is whole
                self._failed(f"{type(error).__name__}: {str(error)[:300]}")
                return False
            if ended:
                with self._lock:
                    self._watched.pop(folder, None)
        self.failure = ""
        return waiting

    def _failed(self, reason: str) -> None:
        if not self.failure:
            _log.warning(
                "MLflow cannot be reached now (%s); training goes on, the journals are whole, and it is tried again; "
                "`tlx sync` sends what is left",
                store.without_password(reason),
            )
        self.failure = reason


def send(client: Any, uri: str, folder: Path, parent: Path | None = None) -> bool:
    """Send what is new in a folder's journal; returns whether its run is over. Raises what the client raises."""
    if not journal.attempt(folder):
        return False
    with (folder / journal.FILE).open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # whoever else sends it waits, and finds it sent
        state = _opened(client, uri, folder, parent)
        last: dict[str, Any] = {}
        while True:
            rows, at = journal.since(folder, int(state["at"]), _LINES)
            if at == state["at"]:
                return bool(last.get("event", state.get("last")) == "end")
            _send_rows(client, folder, state["run_id"], rows)
            last = rows[-1] if rows else {"event": state.get("last", "")}
            state |= {"at": at, "last": last["event"]}
            _remember(folder, state)


def _opened(client: Any, uri: str, folder: Path, parent: Path | None) -> dict[str, Any]:
    """The state of a folder whose run is there, described, and below its parent's."""
    first = next(journal.read(folder))
    attempt = str(first.get("attempt", ""))
    state = _state(folder)
    above = run_id(parent, uri) if parent is not None else None
    known = store.without_password(uri)
    if state.get("uri") != known or state.get("attempt") != attempt:  # a new attempt is a new run
        if state.get("uri") == known:
            _close(client, str(state["run_id"]))
        run = _create(client, uri, first, above)
        state = {"uri": known, "attempt": attempt, "at": 0, "run_id": run, "parent": above, "described": False}
        _remember(folder, state)  # at once: a run that nobody remembers is made again
    if not state["described"]:
        _describe(client, state["run_id"], first)
        state["described"] = True
        _remember(folder, state)
    if above not in (None, state.get("parent")):  # it was sent before the sweep was
        client.set_tag(state["run_id"], "mlflow.parentRunId", above)
        state["parent"] = above
        _remember(folder, state)
    return state


def _send_rows(client: Any, folder: Path, run: str, rows: list[dict[str, Any]]) -> None:
    _send_metrics(client, run, (row for row in rows if row["event"] == "metrics"))
    if any(row["event"] == "resume" for row in rows):
        client.update_run(run, status="RUNNING")
        if "tlx.status_reason" in client.get_run(run).data.tags:
            client.delete_tag(run, "tlx.status_reason")
    if rows and rows[-1]["event"] == "end":
        end = rows[-1]
        if "note" in end:
            client.set_tag(run, "mlflow.note.content", end["note"])
        if end["reason"]:
            client.set_tag(run, "tlx.status_reason", end["reason"][:5000])
        for artifact in (folder / name for name in _ARTIFACTS):
            if artifact.is_file():
                client.log_artifact(run, str(artifact))
        client.set_terminated(run, status=end["status"])


def _close(client: Any, run_id: str) -> None:
    """The run of an attempt that died without a word, and was begun anew."""
    if client.get_run(run_id).info.status == "RUNNING":
        client.set_tag(run_id, "tlx.status_reason", "interrupted; begun anew in another run")
        client.set_terminated(run_id, status="KILLED")


def _stand(folder: Path) -> tuple[str, int]:
    """The attempt a journal is of, and how far it has come, in bytes."""
    return journal.attempt(folder), journal.size(folder)


def _create(client: Any, uri: str, start: dict[str, Any], parent: str | None) -> str:
    tags = dict(start["tags"]) | ({"mlflow.parentRunId": parent} if parent is not None else {})
    experiment = store.experiment_id(client, uri, start["experiment"])
    run = client.create_run(experiment, start_time=start["time"], run_name=start["name"], tags=tags)
    return str(run.info.run_id)


def _describe(client: Any, run_id: str, start: dict[str, Any]) -> None:
    """Parameters and data set; what the store refuses is named in a tag instead."""
    from mlflow.entities import Dataset as DatasetEntity
    from mlflow.entities import DatasetInput, Param, RunTag
    from mlflow.exceptions import MlflowException

    params = [Param(name, str(value)[:_LONGEST_VALUE]) for name, value in start["params"].items()]
    try:
        client.log_batch(run_id, [], params, list[RunTag]())
        if start.get("dataset"):
            name, digest = start["dataset"]["name"], start["dataset"]["digest"]
            entity = DatasetEntity(name=name, digest=digest, source_type="local", source=json.dumps({"name": name}))
            client.log_inputs(run_id, [DatasetInput(dataset=entity, tags=[])])
    except MlflowException as error:
        if error.get_http_status_code() not in _REFUSALS:
            raise
        client.set_tag(run_id, "tlx.refused", str(error)[:5000])


_REFUSALS = (400, 413, 422)  # it will refuse the same again


def _send_metrics(client: Any, run_id: str, rows: Iterable[dict[str, Any]]) -> None:
    from mlflow.entities import Metric

    points = []
    for row in rows:
        values = {name: value for name, value in row["values"].items() if value is not None} | {"epoch": row["epoch"]}
        points += [Metric(name, float(value), row["time"], row["step"]) for name, value in values.items()]
    for i in range(0, len(points), _BATCH):
        client.log_batch(run_id, points[i : i + _BATCH])


def _state(folder: Path) -> dict[str, Any]:
    file = folder / FILE
    if not file.is_file():
        return {}
    state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return state


def _remember(folder: Path, state: dict[str, Any]) -> None:
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps(state), encoding="utf-8")
    partial.replace(folder / FILE)


def run_id(folder: Path, uri: str | None = None) -> str | None:
    """The MLflow run of a run folder, once it has one; with ``uri`` that of this store."""
    state = _state(folder)
    known = uri is None or store.without_password(uri) == state.get("uri")
    return state.get("run_id") if known else None


def _hush() -> None:
    """MLflow announces every table it creates."""
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
