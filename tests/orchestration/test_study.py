"""What a study runs, in which order, and what it refuses; nothing is trained here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlx.config.errors import ConfigError
from tlx.orchestration.study import conduct as study
from tlx.orchestration.jobs import Job, Outcome
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.tracking.event_log import EventLog

STUDY = """# @package _global_
# A study for tests.
defaults:
  - override /backbone: narrow_resnet
  - override /dataset: digits
tracking: {kind: none}
study:
  question: Which?
  axis: dataset.shots
  points: [1, 5]
  seeds: [0, 1, 2]
  control: plain
  arms:
    plain: {overrides: [strategy=scratch], tune: {strategy.lr: [1e-3, 1e-2]}}
    fixed: {overrides: [strategy=feature_extraction]}
"""


@pytest.fixture
def words(folder: Path) -> list[str]:
    (folder / "experiments").mkdir()
    (folder / "experiments" / "mine.yaml").write_text(STUDY)
    return ["experiment=mine"]


ACCURACY = Metric("acc", "accuracy", "max", percent=True)


def outcome(job: Job, loss: float) -> Outcome:
    metrics: dict[str, float | None] = {"val/loss": loss, "val/acc": 0.5, "test/acc": 0.5}
    return Outcome(
        job, Result(job.place.identity, job.place.name, job.place.path.name, metrics, 1, 1, 1, 1.0, 1.0, ACCURACY)
    )


def test_opening_is_every_candidate_once_and_all_seeds_of_the_rest(words: list[str]) -> None:
    trials = [job.trial for job in study.plan(words)[0]]
    tuned = [t for t in trials if t.strategy.name == "scratch"]
    fixed = [t for t in trials if t.strategy.name == "feature_extraction"]
    assert {(t.dataset.shots, t.seed, t.strategy.lr) for t in tuned} == {
        (k, 0, lr) for k in (1, 5) for lr in (1e-3, 1e-2)
    }
    assert {(t.dataset.shots, t.seed) for t in fixed} == {(k, s) for k in (1, 5) for s in (0, 1, 2)}


def test_the_best_candidate_goes_on_to_the_other_seeds(words: list[str]) -> None:
    scheduler = study.StudyScheduler("mine", words)
    jobs = [
        job for job in scheduler.initial_jobs() if job.trial.strategy.name == "scratch" and job.trial.dataset.shots == 5
    ]
    assert list(scheduler.on_result(outcome(jobs[0], loss=1.0))) == []
    further = list(scheduler.on_result(outcome(jobs[1], loss=0.5)))
    assert {(job.trial.seed, job.trial.strategy.lr) for job in further} == {(1, 1e-2), (2, 1e-2)}
    assert scheduler.num_pending == 2  # those of the other point


def test_a_candidate_that_diverges_is_no_candidate(words: list[str]) -> None:
    scheduler = study.StudyScheduler("mine", words)
    jobs = [
        job for job in scheduler.initial_jobs() if job.trial.strategy.name == "scratch" and job.trial.dataset.shots == 5
    ]
    assert list(scheduler.on_result(Outcome(jobs[1], None, "NaN"))) == []
    further = list(scheduler.on_result(outcome(jobs[0], loss=2.0)))
    assert {(job.trial.seed, job.trial.strategy.lr) for job in further} == {(1, 1e-3), (2, 1e-3)}
    others = [
        job for job in scheduler.initial_jobs() if job.trial.strategy.name == "scratch" and job.trial.dataset.shots == 1
    ]
    assert [list(scheduler.on_result(Outcome(job, None, "NaN"))) for job in others] == [[], []]


def test_a_failed_candidate_hides_no_finished_trial(words: list[str]) -> None:
    """The report of a study in which one candidate diverged has every seed of the candidate that went on."""
    scheduler = study.StudyScheduler("mine", words)
    initial_jobs = scheduler.initial_jobs()
    for job in initial_jobs:
        if job.trial.strategy.lr == 1e-2 and job.trial.strategy.name == "scratch":
            _write_failure(job)
            continue
        for one in [job, *scheduler.on_result(_finished(job))]:
            _finished(one)
    for job in initial_jobs:
        if job.place.result() is None:
            for one in scheduler.on_result(Outcome(job, None, "NaN")):
                _finished(one)
    conducted = study.collect("mine", words)
    assert [len(cell.runs) for cell in conducted.found.cells.values()] == [3, 3, 3, 3]
    assert [reason for _, reason in conducted.found.failures] == ["NaN", "NaN"]


def _finished(job: Job) -> Outcome:
    made = outcome(job, loss=1.0)
    job.place.path.mkdir(parents=True, exist_ok=True)
    assert made.result is not None
    job.place.finish(made.result)
    return made


def _write_failure(job: Job) -> None:
    job.place.path.mkdir(parents=True, exist_ok=True)
    book = EventLog(job.place.path)
    book.begin(name=job.place.name)
    book.write("end", status="FAILED", reason="NaN")


def test_the_command_line_wins_over_the_arms(words: list[str]) -> None:
    trials = [job.trial for job in study.plan([*words, "strategy.budget=3 steps", "study.seeds=[7]"])[0]]
    assert {t.strategy.budget for t in trials} == {"3 steps"}
    assert {t.seed for t in trials} == {7}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("study.control=plian", "did you mean plain"),
        ("study.points=[]", "nothing would be run"),
        ("study.axis=dataset.shoots", "did you mean dataset.shots"),
    ],
)
def test_a_study_that_cannot_answer_is_refused(words: list[str], word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study.plan([*words, word])
