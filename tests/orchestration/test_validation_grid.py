"""The arms of a study are validated at the same steps, where it is found out how often; nothing is trained here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import tlx
from tests.orchestration.studies import outcome
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.study.scheduler import StudyScheduler
from tlx.orchestration.study.validation_grid import ValidationGrid
from tlx.runs import folder as folders

WORDS = ["backbone=pixels", "dataset=digits", "strategy.budget=60 steps", "strategy.batch_size=25"]
WORDS += ["strategy.validate_every=auto"]
PLAIN = "strategy=feature_extraction"


def made(*words: str) -> Trial:
    """A trial that knows 5 examples of each class, and 200 that validate."""
    return tlx.compose([*WORDS, "dataset.shots=5", *words])


def intervals(*trials: Trial) -> list[str]:
    """Of the arms of one study."""
    grid = ValidationGrid(lambda point: list(trials))
    return [grid.settled(one, 5).strategy.validate_every for one in trials]


def test_arms_share_the_shortest_interval() -> None:
    plain = made(PLAIN)
    assert intervals(plain) == ["12 steps"]  # a fifth of 60
    halves = made("strategy=lp_ft")
    assert intervals(plain, halves) == ["6 steps", "6 steps"]  # of 30
    short = made(PLAIN, "strategy.budget=20 steps")
    assert intervals(plain, halves, short) == ["4 steps", "4 steps", "4 steps"]
    said = made("strategy=lp_ft", "strategy.validate_every=7 steps")
    assert intervals(plain, said) == ["12 steps", "7 steps"]


def test_seeds_and_augmentation_draw_no_other_number_of_examples() -> None:
    others = ["seed=3", "dataset.shots_seed=4", "dataset.augment=shift", "dataset.sampler=balanced"]
    assert intervals(made("strategy=lp_ft"), *(made(PLAIN, word) for word in others)) == ["6 steps"] * 5


def test_arms_of_other_examples_have_an_interval_of_their_own() -> None:
    """Of 5 shots one validates: 3 * 10 * 2 / 40 steps make it a tenth, less than the two steps of an epoch."""
    assert intervals(made("strategy=lp_ft"), made(PLAIN, "dataset.validation=within")) == ["6 steps", "2 steps"]


def test_arms_of_other_batch_sizes_are_validated_after_as_many_examples() -> None:
    """Of 50 examples: 12 of 60 steps are 6 epochs in batches of 25, and 12 epochs in batches of 50."""
    assert intervals(made(PLAIN), made(PLAIN, "strategy.batch_size=50")) == ["12 steps", "6 steps"]


def test_an_arm_whose_work_is_mostly_validation_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Five looks at 200 examples, beside 60 steps of 25 that count three times."""
    intervals(made(PLAIN), made(PLAIN, "seed=1"), made("strategy=logistic"))
    (line,) = [record.message for record in caplog.records]
    assert "is 12 steps for every arm at 5: validation is up to 18 % of the work (feature_extraction)" in line


def test_data_that_are_fetched_have_no_number_of_examples_yet() -> None:
    trial = tlx.compose(
        ["backbone=bert_base", "dataset=hub_text", "dataset.name=imdb", PLAIN, "strategy.validate_every=auto"]
    )
    with pytest.raises(ConfigError, match="set a length, such as '1 epochs'") as caught:
        intervals(trial)
    assert [one.key for one in caught.value.problems] == ["strategy.validate_every"]


STUDY = """# @package _global_
# A study for tests.
defaults:
  - override /backbone: pixels
  - override /dataset: digits
strategy: {budget: 60 steps, batch_size: 25, validate_every: auto}
tracking: {kind: none}
study:
  question: Which?
  axis: dataset.shots
  points: [5]
  seeds: [0]
  control: tuned
  arms:
    tuned: {overrides: [strategy=feature_extraction], tune: {strategy.lr: [1e-3, 1e-2]}}
    halves: {overrides: [strategy=lp_ft]}
"""


def test_the_trials_of_a_study_say_themselves_when_they_validate(folder: Path) -> None:
    """A recorded configuration lives where its trial did, and what follows from tuning is on the same grid."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "mine.yaml").write_text(STUDY)
    scheduler = StudyScheduler("mine", ["experiment=mine"])
    jobs = scheduler.initial_jobs()
    further = [one for job in jobs for one in scheduler.on_result(outcome(job, 0.5))]
    assert [job.trial.seed for job in further] == [0]
    assert {job.trial.strategy.validate_every for job in [*jobs, *further]} == {"6 steps"}
    folders.write_config(folder, jobs[-1].trial)
    recorded = folders.read_config(folder)
    assert sweeps.job(replace(recorded, output="elsewhere")).place.identity == jobs[-1].place.identity
    said = StudyScheduler("mine", ["experiment=mine", "strategy.validate_every=6 steps"]).initial_jobs()
    assert [job.place.identity for job in said] == [job.place.identity for job in jobs]
