"""Stores that go away, come back, refuse or do not answer: training does not notice, and nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tracking.test_mlflow_sync import begin, metrics, uri
from tlx.config.errors import ConfigError
from tlx.config.tracking import Tracking
from tlx.tracking import mlflow_sync, store
from tlx.tracking.event_log import EventLog

__all__ = ["uri"]


class Moody:
    """A client whose store fails while ``down``."""

    def __init__(self, uri: str) -> None:
        self.real = store.client(uri)
        self.down = False
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.down:
                raise ConnectionError("the server has gone")
            return getattr(self.real, name)(*args, **options)

        return call


def wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_store_that_is_not_there_hurts_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with mlflow_sync.MLflowSync(Tracking(uri="http://127.0.0.1:9")) as mirrored:
        mirrored.watch(folder / "run")
        begin(folder / "run").write("end", status="FINISHED", reason="")
    assert mirrored.failure
    uri = f"sqlite:///{folder}/later.db"
    assert mlflow_sync.send(store.client(uri), uri, folder / "run")  # nothing was lost


def test_a_store_that_comes_back_gets_everything(folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies after the first metrics, is away for a while, and nobody has to do anything."""
    monkeypatch.setattr(mlflow_sync, "_PERIOD", 0.05)
    monkeypatch.setattr(mlflow_sync, "_LONGEST", 0.2)
    moody = Moody(uri)
    monkeypatch.setattr(store, "client", lambda _: moody)
    book = begin(folder / "run")
    (folder / "run" / "events.jsonl").unlink()
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        mirrored.watch(folder / "run")
        book.begin(name="a", experiment="tlx/tests", params={}, tags={"tlx.kind": "train"}, dataset=None)
        metrics(book, range(5))
        wait_for(lambda: not mirrored.is_behind(folder / "run"))
        moody.down = True
        metrics(book, range(5, 10))
        wait_for(lambda: bool(mirrored.failure))
        metrics(book, range(10, 15))
        moody.down = False
        wait_for(lambda: not mirrored.failure and not mirrored.is_behind(folder / "run"))
        moody.down = True
        metrics(book, range(15, 20))
        moody.down = False
        book.write("end", status="FINISHED", reason="")
    run = str(mlflow_sync.run_id(folder / "run"))
    assert [point.step for point in moody.real.get_metric_history(run, "val/acc")] == list(range(20))
    assert moody.real.get_run(run).info.status == "FINISHED"
    assert len(moody.real.search_runs([moody.real.get_run(run).info.experiment_id])) == 1


@pytest.mark.parametrize("call", range(1, 9))
def test_killed_between_any_two_calls_it_sends_on_without_doubles(folder: Path, uri: str, call: int) -> None:
    """The sender is killed after so many calls; another one goes on from the files."""
    book = begin(folder / "run")
    metrics(book, range(4))
    book.write("end", status="FINISHED", reason="")
    moody = Moody(uri)

    class Killed(BaseException):
        pass

    class Dying:
        def __getattr__(self, name: str) -> Any:
            def run(*args: Any, **options: Any) -> Any:
                found = getattr(moody, name)(*args, **options)
                if moody.calls == call:
                    raise Killed
                return found

            return run

    with contextlib.suppress(Killed):
        mlflow_sync.send(Dying(), uri, folder / "run")
    assert mlflow_sync.send(moody, uri, folder / "run")
    run = moody.real.get_run(str(mlflow_sync.run_id(folder / "run")))
    assert run.info.status == "FINISHED"
    assert [point.step for point in moody.real.get_metric_history(run.info.run_id, "val/acc")] == list(range(4))


def test_what_the_store_refuses_stops_nothing(folder: Path, uri: str) -> None:
    book = EventLog(folder / "run")
    (folder / "run").mkdir()
    params = {"fine": "1", "a name: with {what} it does not take\n": "2"}
    book.begin(name="a", experiment="tlx/tests", params=params, tags={"tlx.kind": "train"}, dataset=None)
    metrics(book, range(3))
    book.write("end", status="FINISHED", reason="")
    client = store.client(uri)
    assert mlflow_sync.send(client, uri, folder / "run")
    run = client.get_run(str(mlflow_sync.run_id(folder / "run")))
    assert run.info.status == "FINISHED"
    assert "tlx.refused" in run.data.tags
    assert run.data.metrics["val/acc"] == 0.2


def test_metrics_that_the_store_refuses_stop_nothing(folder: Path, uri: str) -> None:
    book = begin(folder / "run")
    book.write("metrics", step=1, epoch=1, values={"f1@[0.5]": 0.5, "val/acc": 0.25})
    book.write("end", status="FINISHED", reason="")
    client = store.client(uri)
    assert mlflow_sync.send(client, uri, folder / "run")
    run = client.get_run(str(mlflow_sync.run_id(folder / "run")))
    assert run.data.metrics["val/acc"] == 0.25
    assert "f1@[0.5]" in run.data.tags["tlx.refused"]


@pytest.fixture
def _given_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow tries a database again for 100 s, holding a lock that every other store in the process needs."""
    over = threading.Event()
    monkeypatch.setattr("mlflow.store.db.utils.time", SimpleNamespace(sleep=over.wait))
    yield
    over.set()
    for thread in threading.enumerate():
        if thread.name == "mlflow-sync":
            thread.join(10)


@pytest.mark.usefixtures("_given_up")
@pytest.mark.parametrize("scheme", ["postgresql://me@", "http://", "mysql://me@"])
@pytest.mark.parametrize("open_", [False, True])
def test_a_store_that_does_not_answer_is_not_waited_for(
    folder: Path, caplog: pytest.LogCaptureFixture, scheme: str, open_: bool
) -> None:
    """A closed port, and one that takes connections and says nothing."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        if open_:
            hole.listen(5)
        uri = f"{scheme}127.0.0.1:{hole.getsockname()[1]}/x"
        mirrored = mlflow_sync.MLflowSync(Tracking(uri=uri, patience=0.3))
        with mirrored:
            mirrored.watch(folder / "runs" / "a")
            begin(folder / "runs" / "a").write("end", status="FINISHED", reason="")
            mirrored._stop.set()
            assert mirrored._local.wait(120)  # MLflow is loaded: that is not the store's fault
            began = time.monotonic()
        assert time.monotonic() - began < 20
    assert mirrored.failure
    assert caplog.text.count("MLflow") == 1
    assert f"tlx sync tracking.uri={uri}" in caplog.text


def test_a_store_that_answers_is_waited_for(folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowly, but again and again."""

    class Slow(Moody):
        def __getattr__(self, name: str) -> Any:
            time.sleep(0.1)
            return super().__getattr__(name)

    slow = Slow(uri)
    monkeypatch.setattr(store, "client", lambda _: slow)
    with mlflow_sync.MLflowSync(Tracking(patience=2.0)) as mirrored:
        mirrored.watch(folder / "run")
        begin(folder / "run").write("end", status="FINISHED", reason="")
    assert not mirrored.failure
    assert slow.real.get_run(str(mlflow_sync.run_id(folder / "run"))).info.status == "FINISHED"


def test_one_event_log_that_cannot_be_sent_keeps_no_other_back(folder: Path, uri: str) -> None:
    with mlflow_sync.MLflowSync(Tracking()) as mirrored:
        for name in ("bad", "good"):
            mirrored.watch(folder / name)
        (folder / "bad").mkdir()
        EventLog(folder / "bad").begin(name="a")
        begin(folder / "good").write("end", status="FINISHED", reason="")
    assert not mirrored.failure
    assert store.client(uri).get_run(str(mlflow_sync.run_id(folder / "good"))).info.status == "FINISHED"


@pytest.mark.parametrize("patience", [-1.0, float("nan")])
def test_patience_is_a_time(patience: float) -> None:
    with pytest.raises(ConfigError, match="expected 0 or more seconds"):
        mlflow_sync.MLflowSync(Tracking(patience=patience))
