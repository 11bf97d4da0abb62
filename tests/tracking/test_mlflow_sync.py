"""MLflow as a view of the event log: complete, idempotent, with true statuses, and harmless when it is not there."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tlx.config.errors import ConfigError
from tlx.config.tracking import Tracking
from tlx.tracking import mlflow_sync, store
from tlx.tracking.event_log import EventLog


def begin(folder: Path, name: str = "a trial") -> EventLog:
    folder.mkdir(parents=True, exist_ok=True)
    book = EventLog(folder)
    tags = {"tlx.kind": "train", "tlx.folder": str(folder)}
    book.begin(name=name, experiment="tlx/tests", params={"seed": "0"}, tags=tags, dataset=None)
    return book


def metrics(book: EventLog, steps: range) -> None:
    for step in steps:
        book.write("metrics", step=step, epoch=step / 2, values={"val/acc": step / 10, "val/auroc": None})


@pytest.fixture
def uri(folder: Path) -> str:
    return store.uri(Tracking())


def test_the_store_is_absolute_and_beside_its_artifacts(folder: Path, uri: str) -> None:
    assert uri == f"sqlite:///{folder}/mlflow.db"
    client = store.client(uri)
    experiment = client.get_experiment(store.experiment_id(client, uri, "tlx/tests"))
    assert experiment.artifact_location == (folder / "mlartifacts" / "tlx-tests").as_uri()


def test_sending_twice_sends_once(folder: Path, uri: str) -> None:
    book = begin(folder / "run")
    metrics(book, range(1, 4))
    client = store.client(uri)
    assert not mlflow_sync.send(client, uri, folder / "run")
    assert not mlflow_sync.send(client, uri, folder / "run")
    metrics(book, range(4, 6))
    book.write("end", status="FINISHED", reason="")
    assert mlflow_sync.send(client, uri, folder / "run")
    assert mlflow_sync.send(client, uri, folder / "run")
    run = client.get_run(mlflow_sync.run_id(folder / "run"))
    history = client.get_metric_history(run.info.run_id, "val/acc")
    assert [(point.step, point.value) for point in history] == [(s, s / 10) for s in range(1, 6)]
    assert "val/auroc" not in run.data.metrics  # undefined is not zero
    assert run.info.status == "FINISHED"


def test_a_second_attempt_is_a_second_run(folder: Path, uri: str) -> None:
    client = store.client(uri)
    begin(folder / "run").write("end", status="FAILED", reason="out of luck")
    mlflow_sync.send(client, uri, folder / "run")
    first = mlflow_sync.run_id(folder / "run")
    (folder / "run" / "events.jsonl").unlink()
    begin(folder / "run", "again")
    mlflow_sync.send(client, uri, folder / "run")
    assert mlflow_sync.run_id(folder / "run") != first
    failed = client.get_run(first)
    assert (failed.info.status, failed.data.tags["tlx.status_reason"]) == ("FAILED", "out of luck")


def test_an_attempt_that_is_over_is_not_taken_for_the_new_one(folder: Path, uri: str) -> None:
    begin(folder / "run", "old").write("end", status="FAILED", reason="")
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(folder / "run")
        mirrored._send_all()
        assert mlflow_sync.run_id(folder / "run") is None
        (folder / "run" / "events.jsonl").unlink()
        begin(folder / "run", "new").write("end", status="FINISHED", reason="")
    run = store.client(uri).get_run(mlflow_sync.run_id(folder / "run"))
    assert (run.info.run_name, run.info.status) == ("new", "FINISHED")


def test_leaving_the_mirror_sends_the_rest(folder: Path, uri: str) -> None:
    parent, child = folder / "sweep", folder / "trial"
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(parent)
        mirrored.watch(child, parent)
        begin(parent).write("end", status="FINISHED", reason="", note="| a | table |")
        begin(child).write("end", status="KILLED", reason="signal 9")
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(str(mlflow_sync.run_id(child)))
    assert run.data.tags["mlflow.parentRunId"] == mlflow_sync.run_id(parent)
    assert run.info.status == "KILLED"
    assert client.get_run(str(mlflow_sync.run_id(parent))).data.tags["mlflow.note.content"] == "| a | table |"


def finish_child(parent: Path, child: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A child that ends while it is mirrored, below a sweep that another process keeps the record of."""
    begin(parent)
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(child, parent)
        begin(child).write("end", status="FINISHED", reason="")
        meanwhile()


def test_a_child_waits_for_the_run_of_a_sweep_that_another_process_records(folder: Path, uri: str) -> None:
    parent, child = folder / "sweep", folder / "trial"
    client = store.client(uri)
    finish_child(parent, child, threading.Timer(1.0, mlflow_sync.send, (client, uri, parent)).start)
    run = client.get_run(str(mlflow_sync.run_id(child)))
    assert run.data.tags["mlflow.parentRunId"] == mlflow_sync.run_id(parent)
    assert run.info.status == "FINISHED"


def test_a_child_sent_before_its_sweep_is_put_under_it_later(
    folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_sync, "_PARENT", 0.0)
    parent, child = folder / "sweep", folder / "trial"
    client = store.client(uri)
    finish_child(parent, child)
    assert "mlflow.parentRunId" not in client.get_run(str(mlflow_sync.run_id(child))).data.tags
    mlflow_sync.send(client, uri, parent)
    mlflow_sync.send(client, uri, child, parent)
    assert client.get_run(str(mlflow_sync.run_id(child))).data.tags["mlflow.parentRunId"] == mlflow_sync.run_id(parent)


def test_plain_folders_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match="migrate-filestore"):
        store.uri(Tracking(uri="file:./mlruns"))


def test_a_resumed_attempt_is_the_same_run(folder: Path, uri: str) -> None:
    place = folder / "run"
    book = begin(place)
    metrics(book, range(2))
    book.write("end", status="KILLED", reason="KeyboardInterrupt: ")
    client = store.client(uri)
    mlflow_sync.send(client, uri, place)
    run = str(mlflow_sync.run_id(place))
    assert client.get_run(run).info.status == "KILLED"
    book.write("resume", step=1)
    mlflow_sync.send(client, uri, place)
    assert client.get_run(run).info.status == "RUNNING"
    metrics(book, range(2, 4))
    book.write("end", status="FINISHED", reason="")
    mlflow_sync.send(client, uri, place)
    assert mlflow_sync.run_id(place) == run
    assert client.get_run(run).info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(run, "val/acc")] == [0, 1, 2, 3]


def test_a_run_that_goes_on_is_watched(folder: Path, uri: str) -> None:
    place = folder / "run"
    book = begin(place)
    book.write("end", status="KILLED", reason="")
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(place)
        mirrored._send_all()
        assert mlflow_sync.run_id(place) is None
        book.write("resume", step=0)
        book.write("end", status="FINISHED", reason="")
    assert store.client(uri).get_run(str(mlflow_sync.run_id(place))).info.status == "FINISHED"


def test_passwords_are_kept_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="holds a password") as caught:
        store.uri(Tracking(uri="postgresql://me:secret@host/db"))
    assert "secret" not in caught.value.block()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(folder / "run")
        begin(folder / "run").write("end", status="FINISHED", reason="")
    assert mirrored.failure
    assert not any("secret" in path.read_text() for path in (folder / "run").iterdir())


@pytest.mark.parametrize(
    "note",
    ["", "{", "[]", "null", "[" * 100_000, '{"uri": 7}', '{"run_id": "0"}', "gone", "nothing sent"],
)
def test_a_note_that_is_lost_doubles_nothing(folder: Path, uri: str, note: str) -> None:
    book = begin(folder / "run")
    metrics(book, range(4))
    book.write("end", status="FINISHED", reason="")
    client = store.client(uri)
    mlflow_sync.send(client, uri, folder / "run")
    run, file = str(mlflow_sync.run_id(folder / "run")), folder / "run" / mlflow_sync.FILE
    if note == "gone":
        file.unlink()
    elif note == "nothing sent":
        file.write_text(json.dumps({**json.loads(file.read_text()), "at": 10**12}))
    else:
        file.write_text(note)
    assert mlflow_sync.send(client, uri, folder / "run")
    assert mlflow_sync.run_id(folder / "run") == run
    assert len(client.search_runs([client.get_run(run).info.experiment_id])) == 1
    assert [point.step for point in client.get_metric_history(run, "val/acc")] == list(range(4))


def test_a_folder_that_has_moved_is_the_same_run_and_a_copy_another(folder: Path, uri: str) -> None:
    book = begin(folder / "run")
    metrics(book, range(2))
    client = store.client(uri)
    mlflow_sync.send(client, uri, folder / "run")
    run = mlflow_sync.run_id(folder / "run")
    shutil.copytree(folder / "run", folder / "copy")
    metrics(EventLog(folder / "copy"), range(2, 4))
    mlflow_sync.send(client, uri, folder / "copy")
    assert mlflow_sync.run_id(folder / "copy") != run
    (folder / "run").rename(folder / "moved")
    EventLog(folder / "moved").write("end", status="FINISHED", reason="")
    mlflow_sync.send(client, uri, folder / "moved")
    assert mlflow_sync.run_id(folder / "moved") == run
    assert client.get_run(str(run)).info.status == "FINISHED"
