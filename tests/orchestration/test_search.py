"""Searches from the command line: up to a total, by one command or two, killed or not, pruned or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

import tlx
from tests.conftest import Said
from tlx.config.errors import ConfigError
from tlx.config.search import Search
from tlx.orchestration.search import space as spaces
from tlx.orchestration.search.scheduler import verify
from tlx.orchestration.search.study import Study
from tlx.tracking import event_log

EXPERIMENT = """# @package _global_
# A search over the rate of a logistic head on raw pixels.
defaults:
  - override /backbone: pixels
  - override /strategy: feature_extraction
  - override /dataset: digits
strategy: {budget: 20 steps, validate_every: 2 steps}
tracking: {kind: none}
search:
  question: Which rate?
  sampler: random
  space:
    strategy.lr: {low: 1e-5, high: 1e-1, log: true}
    strategy.batch_size: [32, 64]
"""


@pytest.fixture
def written(folder: Path) -> Path:
    """The experiment ``rate`` in ./experiments."""
    path = folder / "experiments" / "rate.yaml"
    path.parent.mkdir()
    path.write_text(EXPERIMENT)
    return path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tlx", "sweep", "experiment=rate", *words]


@pytest.fixture
def sweep(said: Said) -> Said:
    """What a search says."""
    return lambda *words, code=0: said("sweep", "experiment=rate", *words, code=code)


def study(folder: Path) -> optuna.Study:
    (root,) = folder.glob("runs/rate-*")
    storage = f"sqlite:///{root / 'search.db'}"
    return optuna.load_study(study_name=root.name, storage=storage)


@pytest.mark.long
def test_a_search_goes_on_up_to_its_total(folder: Path, written: Path, sweep: Said, said: Said) -> None:
    sweep("search.n_trials=3")
    first = {trial.number: trial.values for trial in study(folder).trials}
    assert len(first) == 3
    assert "5 trials: 5 complete" in sweep("search.n_trials=5")
    second = study(folder).trials
    assert len({trial.params["strategy.lr"] for trial in second}) == 5  # going on proposes nothing again
    assert {n: second[n].values for n in first} == first
    for trial in second:  # what the study was told is what the trials recorded
        (result,) = [
            json.loads(path.read_text())
            for path in folder.glob("runs/pixels*/result.json")
            if _rate(path.parent) == (trial.params["strategy.lr"], json.loads(trial.params["strategy.batch_size"]))
        ]
        assert trial.values == [result["metrics"]["val/loss"]]
    assert "5 trials: 5 complete" in sweep("search.n_trials=5")
    assert len(study(folder).trials) == 5

    (root,) = folder.glob("runs/rate-*")
    for name in ("report.html", "history.svg", "best.yaml"):
        assert (root / name).is_file()
    best = study(folder).best_trial
    (written.parent / "rate_best.yaml").write_text((root / "best.yaml").read_text())
    again = said("train", "experiment=rate_best")
    assert "already finished" in again  # it is the trial that won
    assert "nothing was trained" in again
    assert yaml.safe_load((root / "best.yaml").read_text())["strategy"]["lr"] == best.params["strategy.lr"]


def _rate(folder: Path) -> tuple[float, int]:
    strategy = yaml.safe_load((folder / "config.yaml").read_text())["strategy"]
    return strategy["lr"], strategy["batch_size"]


def test_two_commands_tell_the_same_result_at_once(folder: Path) -> None:
    options = Search(question="?", n_trials=30, space={"strategy.lr": {"low": 0.1, "high": 1.0}})
    space, problems = spaces.read(options.space)
    assert problems == []
    studies = [Study("rate", options, space, folder / "rate") for _ in range(2)]
    numbers = [asked[0] for _ in range(30) if (asked := studies[0].ask()) is not None]
    together, failed = threading.Barrier(2), list[Exception]()

    def tell(one: Study) -> None:
        for number in numbers:
            together.wait(30)
            try:
                one.tell(number, [0.5])
            except optuna.exceptions.UpdateFinishedTrialError as error:
                failed.append(error)

    threads = [threading.Thread(target=tell, args=(one,)) for one in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert studies[1].counts() == {"complete": 30}


@pytest.mark.slow
def test_proposals_that_were_half_made_are_made_whole(folder: Path, written: Path, sweep: Said) -> None:
    """A command that is killed while it proposes leaves trials with some of their settings, or with none."""
    sweep("search.n_trials=2")
    torn = study(folder)
    torn.ask()
    torn.ask().suggest_float("strategy.lr", 1e-5, 1e-1, log=True)
    assert "5 trials: 5 complete" in sweep("search.n_trials=5")
    assert [len(trial.params) for trial in study(folder).trials] == [2] * 5


@pytest.mark.long
def test_a_search_that_is_killed_loses_nothing(folder: Path, written: Path, sweep: Said) -> None:
    process = subprocess.Popen(
        command("search.n_trials=8"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    for _ in range(1200):
        if list(folder.glob("runs/pixels*/result.json")) or process.poll() is not None:
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "8 trials: 8 complete" in sweep("search.n_trials=8")
    assert all(trial.state.name == "COMPLETE" for trial in study(folder).trials)


@pytest.mark.long
def test_two_commands_share_a_search(folder: Path, written: Path) -> None:
    both = [
        subprocess.Popen(command("search.n_trials=6"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
    trials = study(folder).trials
    assert len(trials) == 6
    assert len(list(folder.glob("runs/pixels*/events*.jsonl"))) == 6  # each was trained once


@pytest.mark.slow
def test_two_objectives_have_a_front(folder: Path, written: Path, sweep: Said) -> None:
    text = EXPERIMENT.replace("sampler: random", "sampler: nsga2")
    written.write_text(text + "  objectives: [{metric: val/loss}, {metric: val/acc, goal: maximize}]\n")
    out = sweep("search.n_trials=5")
    front = study(folder).best_trials
    for trial in study(folder).trials:
        beaten = any(one.values[0] < trial.values[0] and one.values[1] > trial.values[1] for one in front)
        assert beaten or trial in front or any(one.values == trial.values for one in front) or _tied(trial, front)
    assert "val/acc (maximize)" in out
    (root,) = folder.glob("runs/rate-*")
    assert (root / "pareto.svg").is_file()


def _tied(trial: optuna.trial.FrozenTrial, front: list[optuna.trial.FrozenTrial]) -> bool:
    """Is it beaten in one objective and equal in the other?"""
    return any(one.values[0] <= trial.values[0] and one.values[1] >= trial.values[1] for one in front)


@pytest.mark.long
def test_pruning_spares_a_third_of_the_rounds(folder: Path, written: Path, sweep: Said) -> None:
    """Rates over four decades: most are hopeless from the second validation on."""
    written.write_text(EXPERIMENT + "  pruning: {kind: median, startup: 2, patience: 1}\n")
    out = sweep("search.n_trials=10", "strategy.budget=40 steps", "--jobs", "1")
    trials = study(folder).trials
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert pruned
    assert f"{len(pruned)} pruned" in out
    rounds = sum(
        sum(row["event"] == "metrics" and "train/loss" in row["values"] for row in event_log.read(path.parent))
        for path in folder.glob("runs/pixels*/events.jsonl")
    )
    assert rounds <= 0.7 * 20 * len(trials)
    best = min(trial.values[0] for trial in trials if trial.state.name == "COMPLETE")
    assert all(best <= min(trial.intermediate_values.values()) for trial in pruned)


@pytest.mark.slow
def test_a_search_where_everything_fails_stops(folder: Path, written: Path, sweep: Said) -> None:
    written.write_text(EXPERIMENT.replace("low: 1e-5, high: 1e-1", "low: 1e25, high: 1e30"))
    out = sweep("search.n_trials=30", code=1)
    assert "stopped: more than 50% of the trials failed" in out
    assert len(study(folder).trials) < 10


def refused(space: dict[str, Any], **search: Any) -> str:
    """What is said of a search over a space."""
    words = ["backbone=pixels", "dataset=digits", "strategy.validate_every=auto", "strategy.budget=100 steps"]
    base = tlx.compose(words, search={"question": "q", "space": space, **search})
    assert base.search is not None
    with pytest.raises(ConfigError) as caught:
        verify(base, base.search)
    return str(caught.value)


@pytest.mark.parametrize(
    "key", ["strategy.batch_size", "strategy.controller.every", "dataset.on_bad", "dataset.split_by", "dataset.shots"]
)
def test_what_moves_rounds_is_not_pruned_by_rounds(key: str) -> None:
    assert f"{key} decides how long they are" in refused({key: ["1", "2"]}, pruning={"kind": "asha"})


def test_what_only_the_test_sees_is_not_searched() -> None:
    assert "all trials are equal" in refused({"dataset.test_augment": ["[]", "[transpose]"]})


def test_what_is_wrong_with_a_search_is_said_at_once(folder: Path, written: Path, sweep: Said) -> None:
    wrong = EXPERIMENT.replace("log: true", "lgo: true").replace("[32, 64]", "[32]")
    written.write_text(wrong + "  objectives: []\n")
    out = sweep("search.n_trials=0", code=2)
    for part in ("did you mean", "two choices", "search.n_trials", "search.objectives"):
        assert part in out
    assert not (folder / "runs").exists()
