"""Classification: losses are torch's, metrics scikit-learn's, and what is undefined is not zero."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score
from torch import nn
from torch.nn import functional as F

from tests.tasks.conftest import Given, drawn, parts, task, truth_and_outputs
from tlx.columns.batch import Batch
from tlx.tasks.classification import ClassificationTask


def evaluated(one: ClassificationTask, batch: Batch, size: int = 16) -> dict[str, float | None]:
    """The metrics of a batch taken in parts of unequal size."""
    metrics = one.metrics()
    for part in parts(batch, size):
        one.eval_step(Given(), part, metrics)
    return one.compute(metrics)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_training_loss_of_one_label(smoothing: float) -> None:
    batch = drawn(multilabel=False)
    one = task(smoothing=smoothing)
    one.fit(batch.targets)
    out = one.training_step(Given(), batch)
    truth, logits = truth_and_outputs(batch)
    expected = nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, truth)
    torch.testing.assert_close(out.loss, expected)
    assert out.weight == 40


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_training_loss_of_several_labels(smoothing: float) -> None:
    batch = drawn(multilabel=True)
    one = task(multilabel=True, smoothing=smoothing)
    one.fit(batch.targets)
    out = one.training_step(Given(), batch)
    truth, logits = truth_and_outputs(batch)
    p = logits.double().sigmoid()
    target = torch.where(truth > 0, 1 - smoothing / 2, smoothing / 2).double()
    expected = -(target * p.log() + (1 - target) * (1 - p).log()).mean()
    torch.testing.assert_close(out.loss, expected.float())


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_evaluation_loss_is_not_smoothed_and_weighs_every_example_alike(multilabel: bool) -> None:
    batch = drawn(multilabel)
    plain = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
    values = evaluated(task(multilabel, smoothing=0.3), batch)
    truth, logits = truth_and_outputs(batch)
    assert values["loss"] == pytest.approx(float(plain(logits, truth)), rel=1e-5)


def test_metrics_of_one_label_equal_scikit_learns() -> None:
    batch = drawn(multilabel=False)
    values = evaluated(task(), batch)
    labels, logits = truth_and_outputs(batch)
    truth, guess = labels.numpy(), logits.argmax(1).numpy()
    assert values["acc"] == pytest.approx(accuracy_score(truth, guess))
    assert values["f1_macro"] == pytest.approx(f1_score(truth, guess, average="macro"))


def test_metrics_of_several_labels_equal_scikit_learns() -> None:
    batch = drawn(multilabel=True)
    values = evaluated(task(multilabel=True), batch)
    labels, logits = truth_and_outputs(batch)
    truth, scores = labels.int().numpy(), logits.sigmoid().numpy()
    assert values["f1_macro"] == pytest.approx(f1_score(truth, scores > 0.5, average="macro"))
    assert values["auroc_macro"] == pytest.approx(roc_auc_score(truth, scores, average="macro"))
    assert values["ap_macro"] == pytest.approx(average_precision_score(truth, scores, average="macro"), rel=1e-5)
    assert values["undefined_labels"] == 0


def test_a_label_without_positives_or_negatives_is_left_out_of_the_means() -> None:
    batch = drawn(multilabel=True)
    labels, logits = truth_and_outputs(batch)
    labels[:, 1] = 0
    labels[:, 2] = 1
    values = evaluated(task(multilabel=True), batch)
    truth, scores = labels.int().numpy(), logits.sigmoid().numpy()
    assert values["auroc_macro"] == pytest.approx(roc_auc_score(truth[:, [0, 3]], scores[:, [0, 3]]))
    positives = [0, 2, 3]
    assert values["ap_macro"] == pytest.approx(average_precision_score(truth[:, positives], scores[:, positives]))
    assert values["undefined_labels"] == 2


def test_without_any_positive_the_means_are_undefined() -> None:
    batch = drawn(multilabel=True)
    truth_and_outputs(batch)[0].zero_()
    values = evaluated(task(multilabel=True), batch)
    assert values["auroc_macro"] is None
    assert values["ap_macro"] is None
    assert values["undefined_labels"] == 4


@pytest.mark.parametrize("multilabel", [False, True])
def test_metrics_begin_anew_after_each_evaluation(multilabel: bool) -> None:
    one = task(multilabel)
    metrics = one.metrics()
    first, second = drawn(multilabel, seed=1), drawn(multilabel, seed=2)
    for batch in (first, second):
        one.eval_step(Given(), batch, metrics)
        assert one.compute(metrics) == evaluated(one, batch, size=40)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("multilabel", [False, True])
def test_logits_that_are_no_numbers_stop_the_evaluation(multilabel: bool, bad: float) -> None:
    batch = drawn(multilabel)
    truth_and_outputs(batch)[1][3, 2] = bad
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        evaluated(task(multilabel), batch)
