"""The shipped studies at toy size, from the command line, as a newcomer would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

TOY = ["study.seeds=[0,1]", "study.points=[5]", "strategy.budget=6 steps", "strategy.validate_every=3 steps"]


def tlx(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tlx", *words], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_quickstart(folder: Path) -> None:
    assert tlx("init", "quickstart").returncode == 0
    letters = folder / "experiments" / "letters.yaml"
    small = "dataset:\n  n_train: 1024\n  n_val: 256\n  n_test: 256\n"
    letters.write_text(letters.read_text().replace("dataset:\n", small).replace("4 epochs", "1 epochs"))
    study = folder / "experiments" / "quickstart.yaml"
    study.write_text(re.sub(r"(tune: \{\S+: \[)[^]]*\]", r"\g<1>1e-3, 1e-2]", study.read_text()))
    planned = tlx("plan", "experiment=quickstart", *TOY)
    assert "up to 8 more follow" in planned.stdout, planned.stderr
    first = tlx("sweep", "experiment=quickstart", *TOY)
    assert first.returncode == 0, first.stdout + first.stderr
    table = _tables(first.stdout)
    assert "fine-tune" in table
    report = Path(re.findall(r"report: (.*)", first.stdout)[0])
    assert "What does transfer buy" in report.read_text(encoding="utf-8")
    results = list(folder.glob("runs/*/result.json"))
    assert len(results) == 1 + 2 + 4 * 2 + 4 * 2  # source, pixels, candidates, the seeds that are reported
    assert "before its first trial; kept" in first.stdout
    second = tlx("sweep", "experiment=quickstart", *TOY)
    assert _tables(second.stdout) == table
    assert set(folder.glob("runs/*/result.json")) == set(results)
    again = tlx("report", "experiment=quickstart", *TOY)
    assert _tables(again.stdout) == table
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tlx/quickstart")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parent = next(run for run in runs if run.data.tags["tlx.kind"] == "sweep")
    assert "| fine-tune |" in parent.data.tags["mlflow.note.content"]
    assert "before its first trial; kept" in parent.data.tags["mlflow.note.content"]
    assert "report.html" in [artifact.path for artifact in client.list_artifacts(parent.info.run_id)]
    assert {run.info.status for run in runs} == {"FINISHED"}


def _tables(text: str) -> str:
    """From the question to the line before the report's path."""
    start = text.index("What does transfer buy")
    return text[start : text.index("report:")]
