"""Sweeps from the command line: what is missing runs, what breaks is one failed trial, MLflow knows the truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.conftest import Said
from tlx.tracking import event_log

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits"]


@pytest.mark.slow
def test_a_sweep_runs_what_is_missing(folder: Path, said: Said) -> None:
    said("sweep", *WORDS, "seed=0,1")
    results = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}
    assert len(results) == 2
    assert "1 trials run, 2 already finished" in said("sweep", *WORDS, "seed=0,1,2")
    assert all(path.stat().st_mtime_ns == before for path, before in results.items())
    assert "0 trials run, 3 already finished" in said("train", "-m", *WORDS, "seed=0,1,2")
    runs = _runs(folder)
    assert sorted(run.info.status for run in runs) == ["FINISHED"] * 5  # three trials, two sweeps that ran something
    parents = {run.info.run_id for run in runs if run.data.tags["tlx.kind"] == "sweep"}
    children = [run for run in runs if run.data.tags["tlx.kind"] == "train"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == parents
    for run in children:
        assert len(run.data.params) <= 25
        assert run.info.run_name.startswith("pixels-feature_extraction-digits-s")
        recorded = json.loads((Path(run.data.tags["tlx.folder"]) / "result.json").read_text())
        assert run.data.metrics["test/acc"] == pytest.approx(recorded["metrics"]["test/acc"])
        assert run.inputs.dataset_inputs[0].dataset.digest == recorded["facts"]["data"]


@pytest.mark.slow
def test_trials_have_processes_that_load_data(folder: Path, said: Said) -> None:
    """They are started from a process that was itself forked from a server."""
    words = ["hardware.workers=0,2", "reuse.when=off", "dataset.augment=flip_crop", "tracking=none"]
    said("sweep", *WORDS, *words, "output=several")
    assert "1 trials run" in said("sweep", *WORDS, *words[1:], "hardware.workers=2", "output=one")
    found = [json.loads(path.read_text())["metrics"] for path in folder.glob("*/*/result.json")]
    assert len(found) == 2  # their number is no part of a trial's identity
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_killed_trial_is_one_failed_trial(folder: Path) -> None:
    """As an out-of-memory kill would; the two others are well."""
    program = (
        "import os, signal, sys\n"
        "from rich.console import Console\n"
        "from tlx.composition.compose import compose\n"
        "from tlx.orchestration import sweep as sweeps, worker\n"
        "from tests.orchestration import deadly\n"
        "worker.run = deadly.run\n"
        f"trials = [compose([*{WORDS!r}, f'seed={{seed}}']) for seed in (0, 1, 2)]\n"
        "if __name__ == '__main__':\n"
        "    found = sweeps.run('three', [sweeps.job(t) for t in trials], Console())\n"
        "    print(len(found.results), [o.reason for o in found.failures])\n"
    )
    (folder / "program.py").write_text(program)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "program.py"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert "2 ['killed by signal 9 (out of memory?)']" in done.stdout, done.stderr
    statuses = {run.info.run_name: run.info.status for run in _runs(folder)}
    assert statuses["three"] == "FAILED"
    assert sorted(statuses.values()) == ["FAILED", "FINISHED", "FINISHED", "KILLED"]
    killed = next(path.parent for path in folder.glob("runs/*s1*/events.jsonl"))
    assert list(event_log.read(killed))[-1]["status"] == "KILLED"


def _runs(folder: Path) -> list[Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments() if one.name.startswith("tlx/")]
    return list(client.search_runs(experiments))
