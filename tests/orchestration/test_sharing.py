"""Several commands on one sweep, and commands that are killed: no trial is trained twice, no number differs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.conftest import Said

WORDS = [
    "backbone=narrow_resnet",
    "strategy=fine_tune",
    "dataset=digits",
    "dataset.shots=4",
    "checkpoint.every_minutes=0",
]
WORDS += ["strategy.budget=12 steps", "strategy.batch_size=16", "strategy.validate_every=3 steps"]


def begin(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tlx", "sweep", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def end(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out


def metrics(root: Path) -> dict[str, dict[str, float]]:
    found = [json.loads(path.read_text()) for path in root.glob("*/result.json")]
    return {one["name"]: one["metrics"] for one in found}


def attempts(root: Path) -> int:
    return len(list(root.glob("narrow*/events*.jsonl")))


@pytest.mark.long
def test_two_commands_at_the_same_moment_share_the_work(folder: Path) -> None:
    first, second = begin(*WORDS, "seed=0,1,2,3"), begin(*WORDS, "seed=0,1,2,3")
    said = end(first) + end(second)
    assert "sharing its trials" in said
    root = folder / "runs"
    assert len(metrics(root)) == attempts(root) == 4
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert [run.info.status for run in runs] == ["FINISHED"] * 5
    parents = {run.info.run_id for run in runs if run.data.tags["tlx.kind"] == "sweep"}
    children = [run for run in runs if run.data.tags["tlx.kind"] == "train"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == parents


@pytest.mark.long
def test_a_sweep_that_is_killed_goes_on(folder: Path) -> None:
    """SIGKILL of every process at random moments; the numbers are those of a sweep that was left alone."""
    words = [*WORDS, "seed=0,1,2,3,4"]
    end(begin(*words, "output=calm", "tracking=none"))
    moments, kills = random.Random(0), 0
    while kills < 3:
        process = begin(*words)
        running = _wait_for(folder / "runs", len(metrics(folder / "runs")), process)
        if not running:
            break
        time.sleep(moments.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}
    end(begin(*words))
    assert kills, "it was over before it could be killed"
    assert metrics(folder / "runs") == metrics(folder / "calm")
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())  # finished ones were let be
    assert not list(folder.glob("runs/**/*.partial"))
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    finished = [run for run in runs if run.info.status == "FINISHED"]
    assert len(finished) == 6
    (sweep,) = [run for run in runs if run.data.tags["tlx.kind"] == "sweep"]
    assert {run.data.tags.get("mlflow.parentRunId") for run in finished} == {None, sweep.info.run_id}
    assert "RUNNING" not in {run.info.status for run in runs}


@pytest.mark.slow
def test_what_a_killed_command_did_not_send_is_sent_when_it_goes_on(folder: Path, said: Said) -> None:
    """The trials are finished on disk and unknown to MLflow: it is told of them, of each once."""
    words = ["sweep", *WORDS, "strategy.budget=3 steps", "seed=0,1"]
    said(*words)
    for path in folder.glob("runs/*/mlflow.json"):  # as if it had been killed before it sent anything
        MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}").delete_run(
            json.loads(path.read_text())["run_id"]
        )
        path.unlink()
    said(*words)  # nothing is left to train
    runs = _runs(folder)
    assert sorted(run.data.tags["tlx.kind"] for run in runs) == ["sweep", "train", "train"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    (sweep,) = [run.info.run_id for run in runs if run.data.tags["tlx.kind"] == "sweep"]
    assert {run.data.tags.get("mlflow.parentRunId") for run in runs} == {None, sweep}
    said(*words)
    assert {run.info.run_id for run in _runs(folder)} == {run.info.run_id for run in runs}


def _runs(folder: Path) -> list[Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    return list(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def _wait_for(root: Path, done: int, process: subprocess.Popen[str]) -> bool:
    """Until a trial is at work, so that something is killed; false once the command is over."""
    for _ in range(1200):
        event_log = sum("metrics" in path.read_text() for path in root.glob("narrow*/events.jsonl"))
        if event_log > done:
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.1)
    raise AssertionError("nothing began")


@pytest.mark.long
def test_a_trial_that_takes_too_long_is_ended_and_goes_on_when_run_again(folder: Path, said: Said) -> None:
    words = [*WORDS, "strategy.budget=40000 steps", "seed=0,1", "tracking=none"]
    out = said("sweep", *words, "hydra.launcher.timeout=0.2", code=1)
    assert "ended after 0.2 minutes (hydra.launcher.timeout)" in out
    status = said("status", "sweep")
    assert "2 trials: 2 interrupted" in status
    assert "goes on from its saved state" in status


@pytest.mark.slow
def test_failed_trials_are_tried_again_unless_told_otherwise(folder: Path, said: Said) -> None:
    words = [*WORDS, "strategy.lr=1e30", "seed=0,1", "tracking=none"]
    assert said("sweep", *words, code=1).count("failed: ") == 2
    assert said("sweep", *words, "sweep.retry=never", code=1).count("failed: ") == 2
    assert attempts(folder / "runs") == 2
    said("sweep", *words, code=1)
    assert attempts(folder / "runs") == 4
