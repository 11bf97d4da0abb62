"""MLflow as a view of journals: a background thread sends what is new, and can never hurt training.

Every send is idempotent: ``mlflow.json`` in the run folder remembers the run and how many journal rows it has.
What could not be sent stays in the journal; ``tlx sync`` sends it later.
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
_PERIOD = 2.0  # seconds between looks at the journals
_PATIENCE, _PAUSE = 10.0, 0.2  # seconds to wait at the end for the run of a parent, and between looks for it
_BATCH = 1000  # metrics per request, MLflow's limit
_ARTIFACTS = ("config.yaml", "result.json", "journal.jsonl", "schedule.svg", "report.html", "study.yaml")
_log = logging.getLogger("tlx.tracking")


class Mirror:
    """Sends the journals of the folders it watches. Use as a context manager; leaving it sends the rest."""

    def __init__(self, tracking: Tracking) -> None:
        self.uri = store.uri(tracking) if tracking.kind == "mlflow" else ""
        self.failure = ""  # why sending stopped, if it did
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
        known = state if state.get("uri") == self.uri else {}
        return str(known.get("attempt", "")), int(known.get("sent", 0))

    def _loop(self) -> None:
        while not self.failure and not self._stop.wait(_PERIOD):
            self._send_all()
        deadline = time.monotonic() + _PATIENCE
        while not self.failure and self._send_all() and time.monotonic() < deadline:
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
                self.failure = f"{type(error).__name__}: {str(error)[:300]}"
                _log.warning("tracking stopped (%s); the journals are whole, `tlx sync` sends them later", self.failure)
                return False
            if ended:
                with self._lock:
                    self._watched.pop(folder, None)
        return waiting


def send(client: Any, uri: str, folder: Path, parent: Path | None = None) -> bool:
    """Send what is new in a folder's journal; returns whether its run is over. Raises what the client raises."""
    if not journal.attempt(folder):
        return False
    with (folder / journal.FILE).open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # whoever else sends it waits, and finds it sent
        return _send(client, uri, folder, parent)


def _send(client: Any, uri: str, folder: Path, parent: Path | None) -> bool:
    rows = list(journal.read(folder))
    attempt = str(rows[0].get("attempt", ""))
    state = _state(folder)
    above = run_id(parent, uri) if parent is not None else None
    if state.get("uri") != uri or state.get("attempt") != attempt:  # a new attempt is a new run
        if state.get("uri") == uri:
            _close(client, str(state["run_id"]))
        state = {
            "uri": uri,
            "attempt": attempt,
            "sent": 0,
            "run_id": _create(client, uri, rows[0], above),
            "parent": above,
        }
        _remember(folder, state)
    run, sent = state["run_id"], int(state["sent"])
    if above not in (None, state.get("parent")):  # it was sent before the sweep was
        client.set_tag(run, "mlflow.parentRunId", above)
        state["parent"] = above
        _remember(folder, state)
    fresh = rows[sent:]
    _send_metrics(client, run, (row for row in fresh if row["event"] == "metrics"))
    if any(row["event"] == "resume" for row in fresh):
        client.update_run(run, status="RUNNING")
        if "tlx.status_reason" in client.get_run(run).data.tags:
            client.delete_tag(run, "tlx.status_reason")
    ends = [row for row in fresh if row["event"] == "end"]
    if ends and rows[-1]["event"] == "end":
        if "note" in ends[-1]:
            client.set_tag(run, "mlflow.note.content", ends[-1]["note"])
        if ends[-1]["reason"]:
            client.set_tag(run, "tlx.status_reason", ends[-1]["reason"][:5000])
        for artifact in (folder / name for name in _ARTIFACTS):
            if artifact.is_file():
                client.log_artifact(run, str(artifact))
        client.set_terminated(run, status=ends[-1]["status"])
    if fresh:
        _remember(folder, {**state, "sent": len(rows)})
    return bool(rows[-1]["event"] == "end")


def _close(client: Any, run_id: str) -> None:
    """The run of an attempt that died without a word, and was begun anew."""
    if client.get_run(run_id).info.status == "RUNNING":
        client.set_tag(run_id, "tlx.status_reason", "interrupted; begun anew in another run")
        client.set_terminated(run_id, status="KILLED")


def _stand(folder: Path) -> tuple[str, int]:
    """The attempt a journal is of, and how far it has come."""
    return journal.attempt(folder), sum(1 for _ in journal.read(folder))


def _create(client: Any, uri: str, start: dict[str, Any], parent: str | None) -> str:
    from mlflow.entities import Dataset as DatasetEntity
    from mlflow.entities import DatasetInput, Metric, Param, RunTag

    tags = dict(start["tags"]) | ({"mlflow.parentRunId": parent} if parent is not None else {})
    experiment = store.experiment_id(client, uri, start["experiment"])
    run = client.create_run(experiment, start_time=start["time"], run_name=start["name"], tags=tags)
    run_id = str(run.info.run_id)
    unused: list[Metric] = []
    client.log_batch(run_id, unused, [Param(k, v) for k, v in start["params"].items()], list[RunTag]())
    if start.get("dataset"):
        name, digest = start["dataset"]["name"], start["dataset"]["digest"]
        entity = DatasetEntity(name=name, digest=digest, source_type="local", source=json.dumps({"name": name}))
        client.log_inputs(run_id, [DatasetInput(dataset=entity, tags=[])])
    return run_id


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
    return state.get("run_id") if uri in (None, state.get("uri")) else None


def _hush() -> None:
    """MLflow announces every table it creates."""
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
