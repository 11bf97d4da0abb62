"""The metrics that can be added: each is scikit-learn's, whatever batches it is taken in and whatever is not there."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import make_dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from tests.tasks.conftest import CLASSES, Given, batch_of, parts, schema, truth_and_outputs
from tlx.columns import Label, Number
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.config import metrics as options
from tlx.config.errors import ConfigError
from tlx.config.task import Classification
from tlx.tasks.brier import BrierScore
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.metrics import Added, added

AVERAGES = ("macro", "micro", "weighted")


def evaluated(batch: Batch, multilabel: bool, name: str, option: object, unknown: bool = False) -> float | None:
    """One metric of a batch, taken in parts."""
    made = _made(multilabel, name, option, unknown)
    metrics = made.metrics()
    for part in parts(batch, 7):
        made.eval_step(Given(), part, metrics)
    return made.compute(metrics)[name]


def _made(multilabel: bool, name: str, option: object, unknown: bool = False) -> ClassificationTask:
    wanted = make_dataclass("Wanted", [name])(option)
    return ClassificationTask(
        Classification(multilabel=multilabel, metrics=wanted), schema(multilabel, unknown=unknown)
    )


def drawn(present: list[int], seed: int, rows: int = 40) -> tuple[Batch, np.ndarray, np.ndarray]:
    """One label per example, of some of the classes alone; with it truth and probabilities."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(present)[torch.randint(len(present), (rows,), generator=generator)]
    logits = torch.randn(rows, len(CLASSES), generator=generator)
    return batch_of(logits, {"animal": labels}), labels.numpy(), logits.double().softmax(-1).numpy()


def drawn_several(seed: int, unknown: bool) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Several labels, one of which no example has; NaN for unknown."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(40, 4, generator=generator) < 0.4).float()
    labels[:, 3] = 0
    if unknown:
        labels[torch.rand(40, 4, generator=generator) < 0.3] = math.nan
    logits = torch.randn(40, 4, generator=generator)
    return batch_of(logits, {"animal": labels}), labels.numpy(), logits.double().sigmoid().numpy()


def ovr(score: Callable[[np.ndarray, np.ndarray], float], truth: np.ndarray, chances: np.ndarray) -> float | None:
    """The mean of a score of each class that is there, against the others."""
    there = [score(truth == i, chances[:, i]) for i in np.unique(truth) if not (truth == i).all()]
    return float(np.mean(there)) if there else None


PRESENT = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True)


@given(PRESENT, st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_of_one_label_each_is_scikit_learns(present: list[int], seed: int) -> None:
    batch, truth, chances = drawn(present, seed)
    predicted = chances.argmax(1)
    every = list(range(len(CLASSES)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "balanced_accuracy": (options.BalancedAccuracy(), sk.balanced_accuracy_score(truth, predicted)),
            "auroc": (options.AUROC(), ovr(sk.roc_auc_score, truth, chances)),
            "average_precision": (options.AveragePrecision(), ovr(sk.average_precision_score, truth, chances)),
            "brier": (options.Brier(), sk.brier_score_loss(truth, chances, labels=every)),
            "matthews": (options.Matthews(), sk.matthews_corrcoef(truth, predicted)),
        }
        scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
        kinds = {"precision": options.Precision, "recall": options.Recall, "f1": options.F1}
        for name, score in scores.items():
            average = AVERAGES[seed % 3]
            value = score(truth, predicted, average=average, zero_division=0)
            expected[name] = (kinds[name](average=average), value)
    for name, (option, value) in expected.items():
        found = evaluated(batch, False, name, option)
        assert found == (None if value is None else pytest.approx(value, rel=1e-5, abs=1e-6)), name


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("unknown", [0, 1, 2])
def test_of_several_labels_each_is_scikit_learns(average: str, unknown: int) -> None:
    """``unknown``: of no label, of each in part, and of the last one everywhere, which counts in no mean then."""
    batch, truth, chances = drawn_several(3, unknown > 0)
    if unknown == 2:
        truth[:, 1] = math.nan  # shared with the batch
    known, predicted = ~np.isnan(truth), chances > 0.5
    beta = partial(sk.fbeta_score, beta=2.0)
    scores: dict[str, tuple[Any, Callable[..., float]]] = {
        "precision": (options.Precision(average=average), sk.precision_score),
        "recall": (options.Recall(average=average), sk.recall_score),
        "f1": (options.F1(average=average), sk.f1_score),
        "fbeta": (options.FBeta(average=average, beta=2.0), beta),
    }
    for name, (option, score) in scores.items():
        found = evaluated(batch, True, name, option, unknown > 0)
        assert found == pytest.approx(_several(score, truth, predicted, known, average), rel=1e-5), name
    found = evaluated(batch, True, "brier", options.Brier(), unknown > 0)
    there = [i for i in range(truth.shape[1]) if known[:, i].any()]
    each = [sk.brier_score_loss(truth[known[:, i], i], chances[known[:, i], i], labels=[0, 1]) for i in there]
    assert found == pytest.approx(np.mean(each), rel=1e-5)


def test_where_no_label_is_known_a_mean_is_undefined() -> None:
    batch, truth, _ = drawn_several(3, unknown=True)
    truth[:] = math.nan
    for name, option in {"f1": options.F1(), "recall": options.Recall(), "brier": options.Brier()}.items():
        assert evaluated(batch, True, name, option, unknown=True) is None


@given(st.integers(0, 1), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_of_two_classes_one_of_which_is_not_there_matthews_is_scikit_learns(there: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels, logits = torch.full((20,), there), torch.randn(20, 2, generator=generator)
    two = Schema((Number("x"), Label("animal", classes=CLASSES[:2])), {"train": 20})
    made = ClassificationTask(Classification(metrics=make_dataclass("Wanted", ["matthews"])(options.Matthews())), two)
    metrics = made.metrics()
    made.eval_step(Given(), batch_of(logits, {"animal": labels}), metrics)
    found = made.compute(metrics)["matthews"]
    assert found == sk.matthews_corrcoef(labels.numpy(), logits.argmax(1).numpy()) == 0


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_goes_by_outputs_however_large_they_are(scale: float, k: int) -> None:
    batch, truth, _ = drawn([0, 1, 2, 3], 5)
    logits = truth_and_outputs(batch)[1]
    logits *= scale
    found = evaluated(batch, False, "top_k", options.TopK(k=k))
    assert found == pytest.approx(sk.top_k_accuracy_score(truth, logits.double().numpy(), k=k))


@pytest.mark.parametrize("name", ["brier", "calibration_error", "auroc"])
def test_outputs_in_half_precision_are_probabilities_in_single(name: str) -> None:
    """What rounds a probability to eight bits would round it again in its metric."""
    option = {"brier": options.Brier(), "calibration_error": options.CalibrationError(), "auroc": options.AUROC()}[name]
    batch, _, _ = drawn([0, 1, 2, 3], 5)
    half = batch.map(lambda one: one.bfloat16() if one.is_floating_point() else one)
    rounded = half.map(lambda one: one.float() if one.is_floating_point() else one)
    assert evaluated(half, False, name, option) == evaluated(rounded, False, name, option)


def _several(
    score: Callable[..., float], truth: np.ndarray, predicted: np.ndarray, known: np.ndarray, average: str
) -> float:
    """scikit-learn's average over labels, each of the examples of which it is known."""
    if average == "micro":
        return score(truth[known].astype(int), predicted[known].astype(int), zero_division=0)
    there = [i for i in range(truth.shape[1]) if known[:, i].any()]
    pairs = [(truth[known[:, i], i].astype(int), predicted[known[:, i], i].astype(int)) for i in there]
    values = [score(*pair, zero_division=0) for pair in pairs]
    weights = [pair[0].sum() for pair in pairs] if average == "weighted" else None
    return float(np.average(values, weights=weights))


def test_the_brier_score_of_two_classes_is_half() -> None:
    chances = torch.tensor([[0.8, 0.2], [0.3, 0.7]])
    ours = BrierScore(2)
    ours.update(chances, torch.tensor([0, 0]))
    assert float(ours.compute()) == pytest.approx(sk.brier_score_loss([0, 0], [0.2, 0.7], labels=[0, 1]))


@pytest.mark.parametrize("name", ["balanced_accuracy", "auroc", "average_precision"])
def test_what_is_of_one_label_is_refused_for_several(name: str) -> None:
    kinds = {
        "balanced_accuracy": options.BalancedAccuracy,
        "auroc": options.AUROC,
        "average_precision": options.AveragePrecision,
    }
    with pytest.raises(ConfigError, match=f"task.metrics.{name}.*is of one label per example"):
        _made(True, name, kinds[name]())


def test_added_metrics_begin_anew_whoever_counts_with_them() -> None:
    """A task of a user's own asks :class:`Added` for values after each evaluation, and resets nothing itself."""
    wanted = make_dataclass("Wanted", ["brier"])(options.Brier())
    counted = Added(added(wanted, [Label("animal", classes=tuple(CLASSES))]))
    values = []
    for seed in (0, 1, 0):
        outputs = torch.randn(20, len(CLASSES), generator=torch.Generator().manual_seed(seed)).softmax(-1)
        counted.update(outputs, torch.arange(20) % len(CLASSES))
        values.append(counted.compute())
    assert values[0] == values[2] != values[1]
