"""The metrics that can be added: each is scikit-learn's, whatever batches it is taken in and whatever is not there."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import make_dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from tests.tasks.conftest import CLASSES, Given, batch_of, parts, schema
from tlx.columns.batch import Batch
from tlx.config import metrics as options
from tlx.config.errors import ConfigError
from tlx.config.task import Classification
from tlx.tasks.brier import BrierScore
from tlx.tasks.classification import ClassificationTask

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
@pytest.mark.parametrize("unknown", [False, True])
def test_of_several_labels_each_is_scikit_learns(average: str, unknown: bool) -> None:
    batch, truth, chances = drawn_several(3, unknown)
    known, predicted = ~np.isnan(truth), chances > 0.5
    kinds = {"precision": options.Precision, "recall": options.Recall, "f1": options.F1}
    scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, kind in kinds.items():
        found = evaluated(batch, True, name, kind(average=average), unknown)
        assert found == pytest.approx(_several(scores[name], truth, predicted, known, average), rel=1e-5), name
    found = evaluated(batch, True, "brier", options.Brier(), unknown)
    assert found == pytest.approx(((chances - truth)[known] ** 2).mean(), rel=1e-5)


def _several(
    score: Callable[..., float], truth: np.ndarray, predicted: np.ndarray, known: np.ndarray, average: str
) -> float:
    """scikit-learn's average over labels, each of the examples of which it is known."""
    if average == "micro":
        return score(truth[known].astype(int), predicted[known].astype(int), zero_division=0)
    pairs = [(truth[known[:, i], i].astype(int), predicted[known[:, i], i].astype(int)) for i in range(truth.shape[1])]
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
