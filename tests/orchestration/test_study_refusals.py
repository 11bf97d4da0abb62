"""Studies that cannot answer are refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Said
from tests.orchestration.studies import STUDY, study_of
from tlx.config.errors import ConfigError
from tlx.orchestration.study import conduct


@pytest.fixture
def words(folder: Path) -> list[str]:
    return study_of(folder)


def test_two_arms_of_the_same_trials_are_refused(words: list[str], folder: Path) -> None:
    again = STUDY + "    again: {overrides: [strategy=feature_extraction]}\n"
    (folder / "experiments" / "mine.yaml").write_text(again)
    with pytest.raises(ConfigError, match="is the same trial as"):
        conduct.plan(words)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("study.control=plian", "did you mean plain"),
        ("study.points=[]", "nothing would be run"),
        ("study.axis=dataset.shoots", "did you mean dataset.shots"),
        ("study.points=[5,5]", "twice"),
        ("study.points=[5,5.0]", "twice"),
        ("study.seeds=[0,0,1]", "twice"),
        ("study.tune_seeds=[0]", "chooses and is reported"),
        ("study.tune_seeds=[]", "no seed would tune"),
        ("study.vary=[shots,odrer]", "did you mean order"),
        ("study.vary=[]", "nothing would be run"),
        ("study.vary=[fold]", "set dataset.folds"),
        ("study.axis=dataset.fold", "a seed is no axis"),
        ("dataset.test=0", "a study reports the test split"),
        ("study.arms.fixed.overrides=['dataset.test=0.0']", "a study reports the test split"),
        ("study={axis: dataset.test, points: [0, 0.3]}", "a study reports the test split"),
        ("study.axes={dataset.test: [0.3, 0]}", "a study reports the test split"),
        ("study.vary=[split,fold]", "another partition"),
        ("study.arms.fixed.tune={dataset.group: [{column: a}, {column: b}]}", "could not be compared"),
        ("study.arms.fixed.tune={dataset.unknown: [zeros, ones]}", "could not be compared"),
        ("study.arms.fixed.tune={dataset.band_files: [a, b]}", "could not be compared"),
        ("study.arms.fixed.tune={dataset.columns.y.column: [a, b]}", "could not be compared"),
        ("study.arms.fixed.tune={dataset.test_augment: [[], [horizontal_flip]]}", "all candidates are equal"),
        ("study.arms.fixed.tune={dataset.limits.pixels: [10, 20]}", "could not be compared"),
        ("study.arms.fixed.tune={dataset.split_by: [random, group]}", "could not be compared"),
        ("study.variance={seeds: [1]}", "no variance"),
        ("study.variance={seeds: [1,2], arms: [palin]}", "did you mean plain"),
        ("study.axis=hardware.threads", "the same trial"),
        ("study.axis=order_seed", "a seed is no axis"),
        ("study.arms.fixed.tune={dataset.shots: [40, 50]}", "and the axis"),
        ("study.arms.fixed.tune={dataset: [digits, glyphs]}", "could not be compared"),
        ("study.arms.fixed.tune={seed: [1, 2]}", "a seed is chance"),
        ("study.arms.fixed.tune={dataset.shots_seed: [1, 2]}", "a seed is chance"),
        ("study.arms.fixed.tune={dataset.val: [0.1, 0.2]}", "could not be compared"),
        ("study.arms.fixed.tune={strategy.lr: [0.1, 0.1]}", "twice"),
        ("study.arms.fixed.tune={hardware.threads: [1, 2]}", "the same trial"),
        ("study.arms.fixed.overrides=['dataset.shots=3']", "is the study's to set"),
        ("study.arms.fixed.overrides=['seed=3']", "is the study's to set"),
        ("dataset.shots=7", "the study sets it"),
        ("seed=7", "the study sets it"),
    ],
)
def test_a_study_that_cannot_answer_is_refused(words: list[str], word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        conduct.plan([*words, word])


@pytest.mark.parametrize(
    "word",
    [
        "search.objectives=[{metric: test/acc, goal: maximize}]",
        "search.pruning={metric: test/loss}",
        "task.primary_metric=test/acc",
        "strategy.phases.0.threshold={value: 0.9, monitor: test/acc}",
        "strategy.phases.0.plateau={monitor: test_loss}",
    ],
)
def test_the_test_set_decides_nothing(folder: Path, said: Said, word: str) -> None:
    (folder / "experiments").mkdir()
    text = "# @package _global_\ndefaults:\n  - override /backbone: pixels\n  - override /dataset: digits\n"
    (folder / "experiments" / "mine.yaml").write_text(
        f"{text}search:\n  question: Which?\n  space: {{strategy.lr: [0.1, 0.2]}}\n"
    )
    assert "the test set decides nothing" in said("sweep", "experiment=mine", word, code=2)
