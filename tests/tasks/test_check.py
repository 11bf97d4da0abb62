"""Whether models can be chosen by what validates is known before training: as the metrics say of any prediction."""

from __future__ import annotations

import itertools
from dataclasses import make_dataclass
from typing import Any

import pytest
import torch

from tlx.columns import Image, Label, Labels, Number
from tlx.columns.schema import Schema
from tlx.config import metrics
from tlx.config.errors import DataError
from tlx.config.task import Classification, Regression
from tlx.tasks.check import check_validation
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.regression import RegressionTask

ADDED = {
    "auroc": metrics.AUROC(),
    "average_precision": metrics.AveragePrecision(),
    "balanced_accuracy": metrics.BalancedAccuracy(),
    "matthews": metrics.Matthews(),
    "brier": metrics.Brier(),
}


def is_refused(task: Any, targets: dict[str, torch.Tensor]) -> bool:
    try:
        check_validation(task, targets)
    except DataError as refused:
        return f"task.primary_metric = {task.primary_metric}" in str(refused)
    return False


def is_undefined(task: Any, target: torch.Tensor, width: int) -> bool:
    """By the metrics themselves, of predictions that are drawn."""
    found, outputs = task.metrics(), torch.rand(len(target), width, generator=torch.Generator().manual_seed(1))
    found.update(outputs, target, torch.tensor(1.0), len(target))
    return found.compute()[task.primary_metric] is None


@pytest.mark.parametrize("primary", ["acc", "f1_macro", "loss", *ADDED])
def test_of_one_label(primary: str) -> None:
    options = Classification(primary_metric=primary, metrics=make_dataclass("Metrics", list(ADDED))(**ADDED))
    task = ClassificationTask(options, Schema((Image("image", channels=1), Label("y", classes=("a", "b", "c")))))
    for there in ([0], [2], [0, 1], [0, 1, 2]):
        target = torch.tensor(there * 5)
        assert is_refused(task, {"y": target}) == is_undefined(task, target, 3)
    assert is_refused(task, {"y": torch.tensor([1] * 5)}) == (primary in ("auroc", "average_precision"))


@pytest.mark.parametrize("primary", ["f1_macro", "auroc_macro", "ap_macro", "undefined_labels"])
def test_of_several_labels(primary: str) -> None:
    column = Labels("y", classes=("a", "b"), unknown=True)
    task = ClassificationTask(
        Classification(multilabel=True, primary_metric=primary), Schema((Image("image", channels=1), column))
    )
    kinds = ([0.0] * 4, [1.0] * 4, [0.0, 1.0] * 2, [torch.nan] * 4, [torch.nan, 1.0, 1.0, torch.nan])
    for pair in itertools.product(kinds, repeat=2):
        target = torch.tensor(pair).T
        assert is_refused(task, {"y": target}) == is_undefined(task, target, 2)


@pytest.mark.parametrize("primary", ["rmse", "r2", "spearman"])
def test_of_numbers(primary: str) -> None:
    task = RegressionTask(
        Regression(primary_metric=primary),
        Schema((Image("image", channels=1), Number("x", "target"), Number("y", "target"))),
    )
    for x, y in itertools.product(([1.0, 1.0, 1.0], [1.0, 2.0, 2.0]), repeat=2):
        targets = {"x": torch.tensor(x), "y": torch.tensor(y)}
        assert is_refused(task, targets) == is_undefined(task, task.target(targets), 2)
