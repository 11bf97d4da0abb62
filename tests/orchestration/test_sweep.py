"""Sweeps from the command line: what is missing runs, what breaks is one failed trial, MLflow knows the truth."""

from __future__ import annotations

import json
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


DEADLY = """
import os, signal
from dataclasses import dataclass
import tlx
from tlx.config.fields import option
from tlx.training.callbacks.callback import Callback

@dataclass
class Options:
    "Kills the process of the trial, as the kernel does where memory runs out."
    steps: int = option(1000, "after so many optimizer steps", least=0)

@tlx.register.callback("deadly", config=Options, capabilities={"trainable", "resumable"})
class Deadly(Callback):
    def __init__(self, options):
        self.steps = options.steps

    def on_step(self, ctx):
        if ctx.step >= self.steps:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_trial_is_one_failed_trial(
    folder: Path, said: Said, plugged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two others are well."""
    (folder / "fatal.py").write_text(DEADLY)
    (folder / "pyproject.toml").write_text('[tool.tlx]\nplugins = ["fatal"]\n')
    monkeypatch.setenv("TLX_TRUST", "1")
    text = said("sweep", *WORDS, "callbacks.deadly={steps: 1},{steps: 3},{steps: 4}", "sweep.name=three", code=1)
    assert text.count("killed by signal 9 (out of memory?)") == 1
    assert "3 trials run" in text
    statuses = [(run.data.tags["tlx.kind"], run.info.status) for run in _runs(folder)]
    assert sorted(statuses) == [("sweep", "FAILED"), *[("train", "FINISHED")] * 2, ("train", "KILLED")]
    (killed,) = [path.parent for path in folder.glob("runs/*/events.jsonl") if not _is_finished(path.parent)]
    assert list(event_log.read(killed))[-1]["status"] == "KILLED"


def _is_finished(run: Path) -> bool:
    return run.name == "three" or (run / "result.json").is_file()


def _runs(folder: Path) -> list[Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments() if one.name.startswith("tlx/")]
    return list(client.search_runs(experiments))
