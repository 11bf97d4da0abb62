"""``tlx results`` and ``tlx plan --json``: sweeps as data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import tlx
from tests.conftest import Said
from tlx.runs.result import read_result
from tlx.training.locate import locate

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits", "tracking=none"]


@pytest.mark.slow
def test_the_trials_of_a_sweep_as_a_table(folder: Path, said: Said) -> None:
    said("sweep", *WORDS, "strategy.clip=0.5,1.0", "sweep.name=mine")
    shown = said("results", "mine")
    assert "strategy.clip" in shown.splitlines()[0]
    assert "folder" not in shown
    rows = json.loads(said("results", "mine", "--json"))["trials"]
    assert [row["strategy.clip"] for row in rows] == [0.5, 1.0]
    for row in rows:
        result = read_result(Path(row["folder"]))
        assert row["state"] == "done"
        assert (row["test/acc"], row["steps"]) == (result.metrics["test/acc"], result.steps)
    run = rows[0]["folder"]
    classes = json.loads(said("results", run, "--per-class", "--json"))["classes"]
    assert [row["label"] for row in classes] == [str(digit) for digit in range(10)]
    right = sum(row["recall"] * row["support"] for row in classes)
    total = sum(row["support"] for row in classes)
    assert right / total == pytest.approx(read_result(Path(run)).metrics["test/acc"], abs=1e-5)
    assert "average_precision" in said("results", run, "--per-class").splitlines()[0]
    assert "10 classes are in classes.csv" in said("results", run, "--per-class", "--csv", "classes.csv")
    assert Path("classes.csv").read_text() == Path(run, "per_class.csv").read_text()  # but for the ends of lines
    assert "has 2 trials; name one" in said("results", "mine", "--per-class", code=2)
    Path(run, "per_class.csv").rename(Path("elsewhere.csv"))
    assert "per_class.csv" in said("results", run, "--per-class", code=2)
    Path("elsewhere.csv").rename(Path(run, "per_class.csv"))
    said("results", "runs/mine", "--csv", "table.csv")
    with Path("table.csv").open(newline="") as stream:
        read = list(csv.DictReader(stream))
    assert [float(row["test/acc"]) for row in read] == [row["test/acc"] for row in rows]
    said("results", "mine", "--csv", "table.csv")  # its own is written again
    Path("notes.csv").write_text("mine\n")
    assert "no table of tlx results" in said("results", "mine", "--csv", "notes.csv", code=2)
    assert Path("notes.csv").read_text() == "mine\n"
    assert "did you mean mine?" in said("results", "mne", code=2)


def test_a_plan_as_data_is_what_would_run(folder: Path, said: Said) -> None:
    (row,) = json.loads(said("plan", *WORDS, "seed=3", "--json"))
    trial = tlx.compose([*WORDS, "seed=3"])
    assert (row["identity"], row["config"]["seed"]) == (locate(trial).identity, 3)
    rows = json.loads(said("plan", "-m", *WORDS, "strategy.lr=0.1,0.2", "--json"))
    assert [one["config"]["strategy"]["lr"] for one in rows] == [0.1, 0.2]
    assert [one["name"].partition(" ")[2] for one in rows] == ["lr=0.1", "lr=0.2"]
    study = json.loads(said("plan", "experiment=quickstart", "--json"))
    assert "narrow_resnet-scratch-glyphs-s0" in [one["name"] for one in study]  # the source leads
    assert {one["config"]["dataset"]["shots"] for one in study} == {None, 1, 5, 50}


def test_the_resolved_configuration_alone(folder: Path, said: Said) -> None:
    printed = said("train", "experiment=letters", "--cfg", "job")
    assert printed.startswith("backbone:\n")
    assert "seed: 0" in printed
    assert "--cfg job" in said("train", "experiment=letters", "--cfg", "all", code=2)
    assert not (folder / "runs").exists()
