"""``task=auto`` is classification as the data have it; a task that contradicts its data is refused."""

from __future__ import annotations

import pytest

from tlx.columns import Column, Image, Label, Labels, Text
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError
from tlx.config.task import AutoTask, Classification, Loss, Task
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.load import load


def schema(modality: str = "image", multilabel: bool = False) -> Schema:
    read: Column = Image("image", channels=3) if modality == "image" else Text("text")
    kind = Labels if multilabel else Label
    return Schema((read, kind("label", classes=("a", "b", "c"))), {"train": 60, "val": 20, "test": 20})


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("modality", ["image", "text"])
def test_auto_follows_the_data(modality: str, multilabel: bool) -> None:
    task = load(AutoTask(), schema(modality, multilabel))
    assert isinstance(task, ClassificationTask)
    assert task.options == Classification(multilabel=multilabel)


@pytest.mark.parametrize("options", [Classification(loss=Loss(label_smoothing=0.1)), Classification()])
def test_a_named_task_is_taken_as_it_is(options: Classification) -> None:
    task = load(options, schema())
    assert isinstance(task, ClassificationTask)
    assert task.options is options


@pytest.mark.parametrize(("multilabel", "name"), [(False, "acc"), (True, "f1_macro")])
def test_models_are_chosen_by_a_metric_the_task_computes(multilabel: bool, name: str) -> None:
    task = load(AutoTask(), schema(multilabel=multilabel))
    assert task.primary_metric == name
    assert task.metric_info[name].goal == "max"
    assert {metric.name for metric in task.metric_info.values()} == set(task.metric_info)


@pytest.mark.parametrize(("asked", "said"), [(False, "several labels"), (True, "one label each")])
def test_multilabel_must_fit_the_data(asked: bool, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load(Classification(multilabel=asked), schema(multilabel=not asked))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("task.multilabel", asked)


def test_a_task_nobody_wrote_is_an_error_of_ours() -> None:
    with pytest.raises(LookupError, match="no task=detection"):
        load(Task(kind="detection"), schema())
