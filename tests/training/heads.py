"""Heads to be trained together: trials, their runs, and what each leaves beside what it leaves alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.training.conftest import Compose, Families, differences
from tlx.config.schema import Trial
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs.result import Result
from tlx.tracking import event_log
from tlx.training import runner
from tlx.training.build import rebuilt
from tlx.training.locate import locate
from tlx.training.multi_head import train_together

BASE = (
    "strategy=feature_extraction",
    "reuse=always",
    "task=classification",
    "dataset.shots_seed=0",
    "strategy.budget=24 steps",
    "strategy.lr=0.02",
)
TRIALS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "decay": ("strategy.optimizer.weight_decay=2", "strategy.lr=0.1", "strategy.keep=last"),
    "seed": ("seed=7", "strategy.schedule.shape=one_cycle"),
    "smooth": ("task.loss.label_smoothing=0.3", "strategy.schedule.warmup=40%"),
    "plateau": ("seed=3", "strategy.lr=0.3", "strategy.phases.0.plateau={patience: 1, monitor: loss}"),
    "threshold": ("strategy.phases.0.threshold={monitor: acc, value: 0.3}", "strategy.phases.0.lr_scale=0.5"),
    "patient": ("strategy.phases.0.plateau={patience: 2, min_delta: 0.02}", "strategy.phases.0.warmup=4 steps"),
}
OPTIMIZERS = {
    "adamw": (),
    "adam": ("strategy.optimizer.name=adam", "strategy.optimizer.args={betas: [0.8, 0.99]}"),
    "sgd": ("strategy.optimizer.name=sgd", "strategy.optimizer.momentum=0.8"),
}
ALLOWED = 1e-5


def silent(line: str) -> None:
    """Say nothing."""


def made(small: Compose, families: Families, *more: str, names: tuple[str, ...] = tuple(TRIALS)) -> list[Trial]:
    """The trials above, as their folder alone is theirs."""
    trials = []
    for name in names:
        words = {word.split("=")[0]: word for word in (*families["cnn"], *BASE, *TRIALS[name], *more)}
        groups = [word for key, word in words.items() if "." not in key]
        trials.append(small(*groups, *(word for key, word in words.items() if "." in key)))
    return trials


def run(trials: list[Trial]) -> list[Result | None]:
    train_together(trials, [silent] * len(trials))
    return [locate(trial).result() for trial in trials]


def alone(trial: Trial) -> tuple[Result, Path]:
    """The same trial by itself, everything computed."""
    other = replace(trial, output="alone", reuse=replace(trial.reuse, when="off"))
    return runner.train(other), locate(other).path


def events(place: Path) -> list[str]:
    return [row["event"] for row in event_log.read(place)]


def same_rows(place: Path, other: Path) -> None:
    """Metrics at the same steps, by the same names, in the same order, with the same values."""
    ours, theirs = event_log.metrics(place), event_log.metrics(other)
    assert [(row["step"], row["epoch"]) for row in ours] == [(row["step"], row["epoch"]) for row in theirs]
    for mine, wanted in zip(ours, theirs, strict=True):
        assert list(mine["values"]) == list(wanted["values"])
        assert mine["values"] == pytest.approx(wanted["values"], rel=ALLOWED, abs=ALLOWED)


def same_records(trial: Trial, result: Result) -> None:
    """Everything a finished trial leaves is what it leaves alone."""
    place = locate(trial).path
    expected, other = alone(trial)
    assert replace(result, metrics={}, cpu_seconds=0, wall_seconds=0) == replace(
        expected, metrics={}, cpu_seconds=0, wall_seconds=0
    )
    assert result.cpu_seconds > 0
    assert result.wall_seconds > 0
    assert list(result.metrics) == list(expected.metrics)
    assert result.metrics == pytest.approx(expected.metrics, rel=ALLOWED, abs=ALLOWED)
    same_rows(place, other)
    state, wanted_state = (load_file(one / layout.CHECKPOINT) for one in (place, other))
    assert not differences(state, wanted_state, ALLOWED)
    assert rebuilt(place)  # its origin is the network's
    records = [
        [json.loads(line) for line in (one / layout.PREDICTIONS).read_text().splitlines()] for one in (place, other)
    ]
    assert len(records[0]) == 897
    for mine, wanted in zip(*records, strict=True):
        assert mine.pop("probabilities") == pytest.approx(wanted.pop("probabilities"), abs=2 * ALLOWED)
        assert mine == wanted
    phases = [[row for row in event_log.read(one) if row["event"] in ("phase", "stages")] for one in (place, other)]
    assert [without_time(row) for row in phases[0]] == [without_time(row) for row in phases[1]]
    assert folders.read_config(place) == trial
    texts = [(one / layout.CONFIG).read_text() for one in (place, other)]
    assert texts[0] == texts[1].replace("output: alone", "output: runs").replace("when: 'off'", "when: always")
    assert {file.name for file in place.iterdir()} == {file.name for file in other.iterdir()}
    assert [event for event in events(place) if event not in ("together", "reuse")] == events(other)
    starts = [next(event_log.read(one)) for one in (place, other)]
    for start in starts:
        start["tags"].pop("tlx.folder")
        start.pop("attempt")
    assert without_time(starts[0]) == without_time(starts[1])


def without_time(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "time"}
