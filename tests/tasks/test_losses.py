"""Losses are those of the papers: against torch, torchvision and scikit-learn, and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

import tlx
from tests.conftest import Said
from tests.tasks.conftest import CLASSES, drawn, truth_and_outputs
from tlx.config.errors import ConfigError
from tlx.config.task import Loss
from tlx.orchestration import batchable
from tlx.tasks.losses import check, criterion
from tlx.training.locate import locate

TRIAL = ["backbone=narrow_resnet", "strategy=feature_extraction", "backbone.weights=none", "dataset=digits"]
TRIAL += ["dataset.shots=3", "dataset.shots_seed=0", "strategy.budget=4 steps", "tracking=none", "reuse=always"]
KINDS = [
    Loss(),
    Loss(label_smoothing=0.2),
    Loss(class_weight="auto"),
    Loss(class_weight="effective"),
    Loss(kind="focal"),
    Loss(kind="focal", gamma=0.5, class_weight="auto", weights={"owl": 3.0}),
]


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_loss_of_several_labels_is_torchvisions(gamma: float) -> None:
    labels, logits = truth_and_outputs(drawn(multilabel=True))
    loss = criterion(Loss(kind="focal", gamma=gamma), CLASSES, labels)
    expected = sigmoid_focal_loss(logits, labels, alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(loss(logits, labels), expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_of_classes_by_hand(gamma: float) -> None:
    labels, logits = truth_and_outputs(drawn(multilabel=False))
    loss = criterion(Loss(kind="focal", gamma=gamma), CLASSES, labels)
    chances = logits.double().softmax(-1)
    right = chances[torch.arange(40), labels]
    torch.testing.assert_close(loss(logits, labels), (-((1 - right) ** gamma) * right.log()).mean().float())


@pytest.mark.parametrize("gamma", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("sure", [30.0, 200.0, -200.0, 1e4])
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_gradient_of_focal_loss_is_finite_however_sure_it_is(gamma: float, sure: float, multilabel: bool) -> None:
    """Against the derivative as a formula in 64 bits, whose limit is 0 where the right class is certain."""
    logits = torch.tensor([[sure, 0.0]]).requires_grad_()
    labels = torch.tensor([[1.0, 0.0]]) if multilabel else torch.tensor([0])
    loss = criterion(Loss(kind="focal", gamma=gamma), CLASSES[:2], labels)(logits, labels)
    (found,) = torch.autograd.grad(loss, logits)
    margin = np.float64(sure)  # the log odds of what is right, of two classes as of a label
    right, wrong, surprise = (
        np.exp(-np.logaddexp(0, -margin)),
        np.exp(-np.logaddexp(0, margin)),
        np.logaddexp(0, -margin),
    )
    slope = -(wrong**gamma) * (wrong + gamma * right * surprise)
    expected = [slope / 2, 0.5**gamma / 2 * (0.5 + gamma * 0.5 * np.log(2))] if multilabel else [slope, -slope]
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("multilabel", [False, True])
def test_without_focus_it_is_cross_entropy(multilabel: bool) -> None:
    labels, logits = truth_and_outputs(drawn(multilabel))
    plain = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
    loss = criterion(Loss(kind="focal", gamma=0.0), CLASSES, labels)
    assert torch.equal(loss(logits, labels), plain(logits, labels))


def test_automatic_weights_are_scikit_learns() -> None:
    train = torch.tensor([0] * 30 + [1] * 6 + [2] * 3 + [3] * 1)
    labels, logits = truth_and_outputs(drawn(multilabel=False))
    weights = compute_class_weight("balanced", classes=np.arange(4), y=train.numpy())
    weights[2] = 5.0
    loss = criterion(Loss(class_weight="auto", weights={"owl": 5.0}), CLASSES, train)
    whole = F.cross_entropy(logits, labels, weight=torch.tensor(weights).float(), reduction="sum")
    torch.testing.assert_close(loss(logits, labels), whole / 40)


def test_automatic_weights_of_several_labels_even_out_positives_and_negatives() -> None:
    train = torch.tensor([[1.0, 0.0, 1.0, 0.0]] * 3 + [[0.0, 0.0, 1.0, 1.0]] * 9)
    labels, logits = truth_and_outputs(drawn(multilabel=True))
    loss = criterion(Loss(class_weight="auto"), CLASSES, train)
    positive = torch.tensor([9 / 3, 1.0, 1.0, 3 / 9])  # what train never or always has weighs 1
    expected = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=positive)
    torch.testing.assert_close(loss(logits, labels), expected)


@pytest.mark.parametrize("kind", ["auto", "effective"])
def test_a_label_that_train_has_never_or_always_weighs_one(kind: str) -> None:
    """Else the positives of the one that it always has would count nothing."""
    train = torch.tensor([[1.0, 0.0, np.nan, 1.0], [1.0, 0.0, 1.0, 0.0]])
    labels, logits = torch.ones(1, 4), torch.zeros(1, 4).requires_grad_()
    loss = criterion(Loss(class_weight=kind), CLASSES, train)(logits, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, torch.full((1, 4), -0.5 / 4))


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_effective_weights_are_those_of_the_paper(beta: float) -> None:
    """Cui et al. 2019: (1 - beta) / (1 - beta^n), here with a mean of 1 over train."""
    counts = [30, 6, 3, 1]
    train = torch.tensor([label for label, count in enumerate(counts) for _ in range(count)])
    labels, logits = truth_and_outputs(drawn(multilabel=False))
    weights = np.array([(1 - beta) / (1 - beta**count) for count in counts])
    weights *= sum(counts) / (weights * counts).sum()
    loss = criterion(Loss(class_weight="effective", beta=beta), CLASSES, train)
    whole = F.cross_entropy(logits, labels, weight=torch.tensor(weights).float(), reduction="sum")
    torch.testing.assert_close(loss(logits, labels), whole / 40)


def test_effective_weights_lie_between_none_and_those_that_even_out() -> None:
    train = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 9)
    labels, logits = torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2)
    found = [
        criterion(options, CLASSES[:2], train)(logits, labels)
        for options in (
            Loss(class_weight="effective", beta=0.0),
            Loss(class_weight="effective", beta=0.8),
            Loss(class_weight="effective", beta=0.99999),
        )
    ]
    plain = criterion(Loss(), CLASSES[:2], train)(logits, labels)
    evened = criterion(Loss(class_weight="auto"), CLASSES[:2], train)(logits, labels)
    torch.testing.assert_close(found[0], plain)
    torch.testing.assert_close(found[2], evened, rtol=1e-3, atol=0)
    assert plain < found[1] < evened


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(1, 39))
def test_the_parts_of_a_batch_give_what_the_whole_does(options: Loss, multilabel: bool, at: int) -> None:
    """However a batch is cut for accumulation or several devices, each part weighed by its examples."""
    labels, logits = truth_and_outputs(drawn(multilabel))
    loss = criterion(options, CLASSES, labels)
    logits, labels = logits.double(), labels.double() if multilabel else labels
    parts = at * loss(logits[:at], labels[:at]) + (40 - at) * loss(logits[at:], labels[at:])
    torch.testing.assert_close(parts / 40, loss(logits, labels))


def test_what_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check(Loss(kind="focal", label_smoothing=0.1, weights={"owll": 2.0, "cat": 1.0}), CLASSES)
    assert [problem.key for problem in caught.value.problems] == ["task.loss.weights.owll", "task.loss.label_smoothing"]
    assert "did you mean owl?" in caught.value.block()


@pytest.mark.parametrize("unread", [Loss(gamma=1.0), Loss(beta=0.9), Loss(beta=0.9, class_weight="auto")])
def test_what_nothing_would_read_is_refused(unread: Loss) -> None:
    with pytest.raises(ConfigError, match=r"has none; use focal|nothing would read it"):
        check(unread, CLASSES)
    check(Loss(kind="focal", gamma=1.0, beta=0.9, class_weight="effective"), CLASSES)


def test_a_loss_is_asked_for_by_one_word_and_is_another_trial(folder: Path) -> None:
    trials = [tlx.compose([*TRIAL, *words]) for words in ([], ["task.loss=focal"], ["task.loss.class_weight=auto"])]
    assert len({locate(trial).identity for trial in trials}) == 3
    found = [tlx.train(trial).metrics for trial in trials]
    assert found[0] != found[1]
    assert found[0] == pytest.approx(found[2], abs=1e-6)  # as many of each class: all weigh 1
    assert [batchable.key(trial) is None for trial in trials] == [False, True, True]


def test_a_wrong_loss_is_told(folder: Path, said: Said) -> None:
    text = said("train", *TRIAL, "task.loss=focl", code=2)
    assert "did you mean focal?" in text
