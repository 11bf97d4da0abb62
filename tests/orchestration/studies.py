"""A small study, and what its trials may have found."""

from __future__ import annotations

from pathlib import Path

from tlx.orchestration.jobs import Job, Outcome
from tlx.runs.metric import Metric
from tlx.runs.result import Result

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


ACCURACY = Metric("acc", "accuracy", "max", percent=True)


def outcome(job: Job, loss: float | None) -> Outcome:
    """What a trial has found that reached this loss; None: it is undefined."""
    metrics: dict[str, float | None] = {"val/loss": loss, "val/acc": 0.5, "test/acc": 0.5}
    return Outcome(
        job, Result(job.place.identity, job.place.name, job.place.path.name, metrics, 1, 1, 1, 1.0, 1.0, ACCURACY)
    )


def study_of(folder: Path) -> list[str]:
    """The words that ask for it, once it is written into a folder."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "mine.yaml").write_text(STUDY)
    return ["experiment=mine"]
