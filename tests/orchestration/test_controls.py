"""What is said of a sweep as a whole: its name, combinations left out, when it ends, what its trials are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

import tlx
from tests.conftest import Said
from tlx.config import output
from tlx.config.errors import ConfigError
from tlx.orchestration import submission
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.backends.launchers import Slurm
from tlx.orchestration.study.scheduler import StudyScheduler
from tlx.tracking import event_log

WORDS = ["backbone=pixels", "strategy=feature_extraction", "strategy.budget=2 steps", "dataset=digits"]


def names(*words: str) -> list[str]:
    """What the trials of a sweep are called."""
    return [sweeps.job(trial).label for trial in sweeps.plan([*WORDS, *words])]


def test_trials_are_called_by_what_is_varied(folder: Path) -> None:
    base = "pixels-feature_extraction-digits"
    assert names("strategy.lr=0.1,0.25", "seed=1,2") == [
        f"{base}-s1 lr=0.1",
        f"{base}-s2 lr=0.1",
        f"{base}-s1 lr=0.25",
        f"{base}-s2 lr=0.25",
    ]
    assert names("strategy.clip=null,0.5") == [f"{base}-s0 clip=null", f"{base}-s0 clip=0.5"]
    assert names("strategy.schedule.warmup=5%,10%", "strategy.phases.0.warmup=5%,10%")[0] == (
        f"{base}-s0 strategy.schedule.warmup=5% strategy.phases.0.warmup=5%"
    )
    assert names("seed=3") == [f"{base}-s3"]


def test_what_is_varied_is_no_part_of_a_trial(folder: Path) -> None:
    alone, swept = (sweeps.plan([*WORDS, word])[0] for word in ("strategy.lr=0.1", "strategy.lr=0.1,0.2"))
    assert sweeps.job(alone).place == sweeps.job(swept).place


def test_combinations_are_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rule = "sweep.exclude=[{strategy: logistic, seed: 1}, {strategy.lr: 0.2, seed: 2}]"
    found = names("strategy=logistic,feature_extraction", "strategy.lr=0.1,0.2", "seed=1,2", rule)
    assert len(found) == 8 - 2 - 2
    assert not [name for name in found if ("logistic" in name and "-s1" in name) or ("-s2" in name and "0.2" in name)]
    assert "4 of 8 trials are left out" in caplog.text
    with pytest.raises(ConfigError, match="leaves no trial"):
        names("seed=1,2", "sweep.exclude=[{strategy: feature_extraction}]")


def test_a_rule_that_leaves_out_nothing_says_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rule = "sweep.exclude=[{strategy.lr: 0.3}, {seed: 1}]"
    assert len(names("strategy.lr=0.1,0.2", "seed=1,2", rule)) == 2
    assert "sweep.exclude.0 leaves out nothing: no trial has {'strategy.lr': 0.3}" in caplog.text
    assert "sweep.exclude.1" not in caplog.text


STUDY = """# @package _global_
defaults: [override /backbone: pixels, override /strategy: feature_extraction, override /dataset: digits, _self_]
study: {question: q, axis: dataset.shots, points: [1], seeds: [0], control: pixels + logistic,
        axes: {backbone: [pixels, narrow_resnet], strategy: [logistic, feature_extraction]}}
"""
SEARCH = """# @package _global_
defaults: [override /backbone: pixels, override /strategy: feature_extraction, override /dataset: digits, _self_]
search: {space: {strategy.lr: {low: 0.1, high: 1.0}}, n_trials: 2}
"""


def test_a_study_leaves_out_combinations_of_its_axes(folder: Path) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments" / "mine.yaml").write_text(STUDY)
    rule = "sweep.exclude=[{backbone: narrow_resnet, strategy: logistic}]"
    arms = StudyScheduler("mine", ["experiment=mine", rule]).study.arms
    assert [*arms] == ["pixels + logistic", "pixels + feature_extraction", "narrow_resnet + feature_extraction"]


@pytest.mark.parametrize(
    ("words", "key", "told"),
    [
        (["experiment=mine", "sweep.exclude=[{strategy.lr: 0.1}]"], "sweep.exclude.0.strategy.lr", "of its axes"),
        (
            ["experiment=mine", "sweep.exclude=[{backbone: pixel}]"],
            "sweep.exclude.0.backbone",
            "which has pixels, narrow",
        ),
        (["experiment=found", "sweep.exclude=[{strategy.lr: 0.1}]"], "sweep.exclude", "search.space"),
        (["experiment=found", "sweep.name=mine"], "sweep.name", "called by its experiment"),
        ([*WORDS, "sweep.exclude=[{stratgy: logistic}]"], "sweep.exclude.0.stratgy", "did you mean strategy?"),
        ([*WORDS, "sweep.exclude=[{strategy.rl: 0.1}]"], "sweep.exclude.0.strategy.rl", "did you mean strategy.lr?"),
        ([*WORDS, "sweep.exclude=[{}]"], "sweep.exclude.0", "names no setting"),
        ([*WORDS, "sweep.varied=[seed]"], "sweep.varied", "fills it in"),
    ],
)
def test_what_would_be_ignored_is_refused(folder: Path, words: list[str], key: str, told: str) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments" / "mine.yaml").write_text(STUDY)
    (folder / "experiments" / "found.yaml").write_text(SEARCH)
    with pytest.raises(ConfigError) as caught:
        tlx.compose(words)
    assert [one.key for one in caught.value.problems if told in one.message] == [key]


def test_what_slurm_ignores_is_refused(folder: Path) -> None:
    words = [*WORDS, "sweep.on_failure=stop", "sweep.minutes=5"]
    with pytest.raises(ConfigError, match=r"sweep\.on_failure[^$]*sweep\.minutes"):
        submission.submit("mine", [sweeps.job(trial) for trial in sweeps.plan(words)], Slurm())
    assert not (folder / "runs").exists()


@pytest.mark.slow
def test_a_sweep_with_a_name_grows_and_shows_what_varies(folder: Path, said: Said) -> None:
    first = said("sweep", *WORDS, "strategy.lr=0.1,0.2", "sweep.name=mine")
    assert "pixels-feature_extraction-digits-s0 lr=0.1" in first
    assert "1 trials run, 2 already finished" in said("sweep", *WORDS, "strategy.lr=0.1,0.2,0.3", "sweep.name=mine")
    assert "mine  3 trials: 3 done" in said("status")
    status = json.loads(said("status", "mine", "--json"))
    assert [trial["name"].partition(" ")[2] for trial in status[0]["trials"]] == ["lr=0.1", "lr=0.2", "lr=0.3"]
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments() if one.name.startswith("tlx/")]
    runs = list(client.search_runs(experiments))
    parents = [run for run in runs if run.data.tags["tlx.kind"] == "sweep"]
    assert [run.info.run_name for run in parents] == ["sweep"]
    children = [run for run in runs if run.data.tags["tlx.kind"] == "train"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert sorted(run.info.run_name.partition(" ")[2] for run in children) == ["lr=0.1", "lr=0.2", "lr=0.3"]


def test_a_name_that_is_taken_is_refused(folder: Path, said: Said) -> None:
    output.claim(folder / "runs")
    (folder / "runs/mine").mkdir()
    (folder / "runs/mine/notes.txt").write_text("the user's")
    assert "is no sweep's" in said("sweep", *WORDS, "tracking=none", "sweep.name=mine", code=2)
    assert "without /" in said("sweep", *WORDS, "sweep.name=a/b", code=2)


@pytest.mark.slow
def test_the_first_failure_ends_a_sweep_and_the_next_command_goes_on(folder: Path, said: Said) -> None:
    words = [*WORDS, "tracking=none", "strategy.optimizer=sgd", "strategy.lr=1e30,0.1", "--jobs", "1"]
    stopped = said("sweep", *words, "sweep.on_failure=stop", "sweep.name=mine", code=1)
    assert "a trial failed: pixels-feature_extraction-digits-s0 lr=1e+30" in stopped
    assert "1 trials are not finished, and the same command goes on" in stopped
    assert event_log.last(folder / "runs/mine")["status"] == "KILLED"
    assert len(list(folder.glob("runs/*/result.json"))) == 0
    said("sweep", *words, "sweep.name=mine", "sweep.retry=never", code=1)
    assert len(list(folder.glob("runs/*/result.json"))) == 1


@pytest.mark.slow
def test_a_sweep_ends_after_its_minutes(folder: Path, said: Said) -> None:
    words = [*WORDS, "tracking=none", "seed=range(0,3)", "sweep.name=mine"]
    assert "minutes are over" in said("sweep", *words, "sweep.minutes=0.0001", code=1)
    assert "3 trials run" in said("sweep", *words)


@pytest.mark.slow
@pytest.mark.parametrize("name", [(), ("sweep.name=rates",)], ids=["unnamed", "named"])
def test_a_record_of_which_a_power_cut_took_any_rows_is_made_whole(
    folder: Path, said: Said, name: tuple[str, ...]
) -> None:
    words = [*WORDS, "seed=1,2", "tracking=none", *name]
    said("sweep", *words)
    (log,) = (path for path in (folder / "runs").glob(f"*/{event_log.FILE}") if "pixels" not in path.parent.name)
    rows = log.read_bytes().splitlines(keepends=True)
    assert len(rows) > 3
    for count in range(len(rows) + 1):
        kept = b"".join(rows[:count])
        for left in (kept, kept + bytes(sum(map(len, rows[count:]))), bytes(len(kept)) + b"".join(rows[count:])):
            log.write_bytes(left)
            said("sweep", *words)
            assert len(event_log.members(log.parent)) == 2
            assert event_log.last(log.parent)["event"] == "end"
            assert "2 trials: 2 done" in said("status"), left
    log.unlink()
    said("sweep", *words)
    assert "2 trials: 2 done" in said("status")
