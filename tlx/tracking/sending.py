"""Sending one run folder's event log to MLflow: what is new in it, once, and only into the folder's own run.

A folder may be somebody else's. Its event log is checked before MLflow sees it, and its note of the MLflow run counts
only where that run carries the event log's attempt: an id that nobody knows but who was given the event log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from tlx.files import foreign
from tlx.files.printable import printable
from tlx.files.secrets import redacted
from tlx.tracking import artifacts, event_log, state, store
from tlx.tracking.state import State, run_id

ATTEMPT, FOLDER, REFUSED, REASON = "tlx.attempt", "tlx.folder", "tlx.refused", "tlx.status_reason"
LEFT_OUT = "tlx.left_out"  # files of a run folder that were too large to be sent
_BATCH = 1000  # metrics per request, MLflow's limit
_LINES = 5000  # of an event log, in memory at once
_LONGEST_VALUE = 6000  # characters of a parameter, MLflow's limit
_LONGEST_TAG = 5000
_REFUSALS = (400, 413, 422)  # it will refuse the same again
STATUSES = ("FINISHED", "FAILED", "KILLED")


@dataclass
class Dataset:
    """What the first row says of the data."""

    name: str
    digest: str


@dataclass
class Start:
    """What an event log's first row has for MLflow."""

    attempt: str
    time: int
    name: str
    experiment: str
    tags: dict[str, str]
    params: dict[str, str]
    dataset: Dataset | None = None
    tracking: dict[str, str | None] = field(default_factory=dict)


def start(folder: Path) -> Start:
    """The first row of a folder's event log; raises :class:`foreign.Unreadable` for one that MLflow cannot use."""
    row = event_log.first(folder)
    if row.get("event") != "start":
        raise foreign.Unreadable("its event log has no first row that can be read")
    hints = get_type_hints(Start)
    found = {one.name: row[one.name] for one in fields(Start) if one.name in row}
    for name, value in found.items():
        if not foreign.conforms(value, hints[name]) or not _is_text(value):
            raise foreign.Unreadable(f"the first row of its event log has a wrong {name}")
    if missing := {"attempt", "time", "name", "experiment", "tags", "params"} - found.keys():
        raise foreign.Unreadable(f"the first row of its event log has no {', '.join(sorted(missing))}")
    if not state.ID.fullmatch(found["attempt"]):
        raise foreign.Unreadable("the first row of its event log has a wrong attempt")
    if found.get("dataset"):
        found["dataset"] = Dataset(**found["dataset"])
    return Start(**found)


def _is_text(value: Any) -> bool:
    """Can a database keep all that is written here?"""
    if isinstance(value, dict):
        return all(_is_text(name) and _is_text(one) for name, one in value.items())
    try:
        return not isinstance(value, str) or ("\0" not in value and bool(value.encode() or True))
    except UnicodeEncodeError:  # half of a letter
        return False


def send(client: Any, uri: str, folder: Path, parent: Path | None = None) -> bool:
    """Send what is new in a folder's event log; returns whether its run is over.

    Raises:
        foreign.Unreadable: The event log is not what tlx writes.
        TimeoutError: Another process sends it, and does not end.
        Exception: What the client raises.
    """
    if not event_log.attempt(folder):
        return False
    first = start(folder)
    above = run_id(parent, uri) if parent is not None else None
    with foreign.reading(folder / event_log.FILE) as stream:
        store.hold(stream)  # whoever else sends it waits, and finds it sent
        known = state.read(folder, uri)
        if known is not None and known.attempt == first.attempt and _has_all(folder, known, above):
            return known.last == "end"
        now = _opened(client, uri, folder, first, above, known)
        while True:
            rows, at = event_log.since(folder, now.at, _LINES)
            if at == now.at:
                return now.last == "end"
            _send_rows(client, folder, now.run_id, rows)
            now.at, now.last = at, rows[-1]["event"] if rows else now.last
            state.write(folder, now)


def own_run(client: Any, uri: str, folder: Path) -> str | None:
    """The MLflow run that the folder's note names, where that is the folder's own; else None."""
    known = state.read(folder, uri)
    return known.run_id if known is not None and _is_own(client, known.run_id, known.attempt, folder) else None


def _has_all(folder: Path, known: State, above: str | None) -> bool:
    return known.described and above in (None, known.parent) and event_log.since(folder, known.at, 1)[1] == known.at


def _opened(client: Any, uri: str, folder: Path, first: Start, above: str | None, known: State | None) -> State:
    """The state of a folder whose run is there, described, and below its parent's."""
    now = known
    if now is not None and now.attempt != first.attempt:  # a new attempt is a new run
        _close(client, now, folder)
        now = None
    if now is not None and not _is_own(client, now.run_id, now.attempt, folder):
        now = None
    if now is None:
        run = _found(client, uri, first, folder) or _create(client, uri, folder, first, above)
        now = State(redacted(uri), first.attempt, run)
        state.write(folder, now)
    if not now.described:
        _describe(client, now.run_id, first)
        now.described = True
        state.write(folder, now)
    if above not in (None, now.parent):
        client.set_tag(now.run_id, "mlflow.parentRunId", above)
        now.parent = above
        state.write(folder, now)
    return now


def _is_own(client: Any, run: str, attempt: str, folder: Path) -> bool:
    """Is this run of the attempt whose event log lies here?"""
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_run(run).data.tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return _is_of(tags, attempt, folder)


def _is_of(tags: dict[str, str], attempt: str, folder: Path) -> bool:
    """Do a run's tags name this attempt, in this folder or in one that has moved here? A copy is another's."""
    place = Path(tags.get(FOLDER, ""))
    copied = place.is_absolute() and event_log.attempt(place) == attempt and not _is_same(place, folder)
    return tags.get(ATTEMPT) == attempt and not copied


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):
        return one.samefile(other)
    return False


def _close(client: Any, old: State, folder: Path) -> None:
    """End the run of an attempt that died without a word, and was begun anew in the same folder."""
    if not _is_own(client, old.run_id, old.attempt, folder):
        return
    run = client.get_run(old.run_id)
    if run.info.status == "RUNNING" and _is_same(Path(run.data.tags.get(FOLDER, "")), folder):
        client.set_tag(old.run_id, REASON, "interrupted; begun anew in another run")
        client.set_terminated(old.run_id, status="KILLED")


def _found(client: Any, uri: str, first: Start, folder: Path) -> str | None:
    """The run of this attempt that was made before, by whoever could not note it, or whose note was lost."""
    experiment = store.experiment_id(client, uri, printable(first.experiment))
    runs = client.search_runs([experiment], f"tags.`{ATTEMPT}` = '{first.attempt}'")
    return next((str(run.info.run_id) for run in runs if _is_of(run.data.tags, first.attempt, folder)), None)


def _create(client: Any, uri: str, folder: Path, first: Start, above: str | None) -> str:
    tags = {name: value for name, value in first.tags.items() if name.startswith("tlx.")}
    tags |= {ATTEMPT: first.attempt, FOLDER: str(folder.absolute())}
    tags |= {"mlflow.parentRunId": above} if above is not None else {}
    experiment = store.experiment_id(client, uri, printable(first.experiment))
    run = client.create_run(experiment, start_time=first.time, run_name=printable(first.name), tags=tags)
    return str(run.info.run_id)


def _describe(client: Any, run: str, first: Start) -> None:
    """Parameters and data set; what the store refuses is named in a tag instead."""
    from mlflow.entities import Dataset as DatasetEntity
    from mlflow.entities import DatasetInput, Param, RunTag
    from mlflow.exceptions import MlflowException

    params = [Param(name, value[:_LONGEST_VALUE]) for name, value in first.params.items()]
    try:
        client.log_batch(run, [], params, list[RunTag]())
        if first.dataset is not None:
            source = json.dumps({"name": first.dataset.name})
            entity = DatasetEntity(first.dataset.name, first.dataset.digest, source_type="local", source=source)
            client.log_inputs(run, [DatasetInput(dataset=entity, tags=[])])
    except MlflowException as error:
        if not is_refusal(error):
            raise
        client.set_tag(run, REFUSED, str(error)[:_LONGEST_TAG])


def is_refusal(error: Exception) -> bool:
    """Does MLflow not want what it was sent? (it is there, and will say the same again)"""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and error.get_http_status_code() in _REFUSALS


def _send_rows(client: Any, folder: Path, run: str, rows: list[dict[str, Any]]) -> None:
    _send_metrics(client, run, (row for row in rows if row["event"] == "metrics"))
    if any(row["event"] == "resume" for row in rows):
        client.update_run(run, status="RUNNING")
        if REASON in client.get_run(run).data.tags:
            client.delete_tag(run, REASON)
    if rows and rows[-1]["event"] == "end":
        end = rows[-1]
        if end["status"] not in STATUSES or not _is_text(end["reason"]) or not _is_text(end.get("note")):
            raise foreign.Unreadable("the last row of its event log has a wrong status, reason or note")
        if isinstance(end.get("note"), str):
            client.set_tag(run, "mlflow.note.content", end["note"])
        if end["reason"]:
            client.set_tag(run, REASON, end["reason"][:_LONGEST_TAG])
        if left := artifacts.upload(client, run, folder):
            client.set_tag(run, LEFT_OUT, f"{', '.join(left)}: over {artifacts.LARGEST >> 20} MB")
        client.set_terminated(run, status=end["status"])


def _send_metrics(client: Any, run: str, rows: Iterable[dict[str, Any]]) -> None:
    from mlflow.entities import Metric

    points, refused = [], dict[str, str]()
    for row in rows:
        values = {name: value for name, value in row["values"].items() if value is not None} | {"epoch": row["epoch"]}
        points += [Metric(name, float(value), row["time"], row["step"]) for name, value in values.items()]
    for i in range(0, len(points), _BATCH):
        refused |= _send_batch(client, run, points[i : i + _BATCH])
    if refused:
        text = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        client.set_tag(run, REFUSED, text[:_LONGEST_TAG])


def _send_batch(client: Any, run: str, points: list[Any]) -> dict[str, str]:
    """Send metrics; those that the store refuses, by name, each with its reason."""
    from mlflow.exceptions import MlflowException

    try:
        client.log_batch(run, points)
        return {}
    except MlflowException as error:
        names = list(dict.fromkeys(point.key for point in points))
        if not is_refusal(error):
            raise
        if len(names) == 1:
            return {names[0]: str(error).partition("\n")[0]}
    refused = dict[str, str]()
    for name in names:
        refused |= _send_batch(client, run, [point for point in points if point.key == name])
    return refused
