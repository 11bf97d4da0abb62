"""``task=auto`` is the classification of the data's modality; a task that contradicts its data is refused."""

from __future__ import annotations

import pytest

from tlx.config.errors import ConfigError
from tlx.config.task import AutoTask, Classification, ImageClassification, Task, TextClassification
from tlx.data.source import DataInfo
from tlx.tasks.build import build
from tlx.tasks.classification import ClassificationTask


def info(modality: str = "image", multilabel: bool = False) -> DataInfo:
    return DataInfo(modality, ("a", "b", "c"), 3, 60, 20, 20, multilabel)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize(("modality", "kind"), [("image", ImageClassification), ("text", TextClassification)])
def test_auto_follows_the_data(modality: str, kind: type[Classification], multilabel: bool) -> None:
    task = build(AutoTask(), info(modality, multilabel))
    assert isinstance(task, ClassificationTask)
    assert task.options == kind(multilabel=multilabel)


@pytest.mark.parametrize("options", [ImageClassification(label_smoothing=0.1), TextClassification()])
def test_a_named_task_is_taken_as_it_is(options: Classification) -> None:
    task = build(options, info(options.modality))
    assert isinstance(task, ClassificationTask)
    assert task.options is options


@pytest.mark.parametrize(("multilabel", "monitor"), [(False, ("acc", "max")), (True, ("f1_macro", "max"))])
def test_models_are_chosen_by_a_metric_the_task_computes(multilabel: bool, monitor: tuple[str, str]) -> None:
    assert build(AutoTask(), info(multilabel=multilabel)).monitor == monitor


@pytest.mark.parametrize(("asked", "said"), [(False, "several labels"), (True, "one label each")])
def test_multilabel_must_fit_the_data(asked: bool, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        build(ImageClassification(multilabel=asked), info(multilabel=not asked))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("task.multilabel", asked)


def test_a_task_nobody_wrote_is_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match="no task for Task"):
        build(Task(kind="detection"), info())
