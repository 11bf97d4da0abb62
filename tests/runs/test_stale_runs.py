"""Runs that say RUNNING although nothing runs get their true status; all others are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Said
from tests.tracking.test_mlflow_sync import begin
from tlx.runs import stale_runs
from tlx.runs.lock import locked
from tlx.tracking import mlflow_sync, store


@pytest.fixture
def uri(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(stale_runs, "_YOUNG", 0)
    return f"sqlite:///{folder / 'mlflow.db'}"


def test_the_dead_are_closed_and_the_living_are_not(folder: Path, uri: str) -> None:
    client = store.client(uri)
    for name in ("killed", "alive", "finished", "elsewhere"):
        book = begin(folder / name, name)
        mlflow_sync.send(client, uri, folder / name)
        if name == "finished":
            book.write("end", status="FINISHED", reason="")
    runs = {name: str(mlflow_sync.run_id(folder / name)) for name in ("killed", "alive", "finished", "elsewhere")}
    (folder / "elsewhere").rename(folder / "moved")
    orphan = client.create_run(
        client.get_run(runs["killed"]).info.experiment_id, tags={"tlx.folder": str(folder / "killed")}
    )
    foreign = client.create_run(client.get_run(runs["killed"]).info.experiment_id)
    with locked(folder / "alive", "alive"):
        assert len(stale_runs.close(client, uri, really=False)) == 3
        assert client.get_run(runs["killed"]).info.status == "RUNNING"
        assert sorted(status for _, status in stale_runs.close(client, uri)) == ["FINISHED", "KILLED", "KILLED"]
    states = {name: client.get_run(run).info.status for name, run in runs.items()}
    assert states == {"killed": "KILLED", "alive": "RUNNING", "finished": "FINISHED", "elsewhere": "RUNNING"}
    assert client.get_run(orphan.info.run_id).info.status == "KILLED"
    assert client.get_run(foreign.info.run_id).info.status == "RUNNING"


def test_the_verb(folder: Path, uri: str, said: Said) -> None:
    client = store.client(uri)
    begin(folder / "killed", "killed")
    mlflow_sync.send(client, uri, folder / "killed")
    assert "killed: would be KILLED" in said("runs", "gc", "--dry-run")
    assert "1 runs were closed" in said("runs", "gc")
    assert "0 runs were closed" in said("runs", "gc")
    assert "or tlx runs gc" in said("runs", code=2)
