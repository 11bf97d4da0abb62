"""What is measured batch by batch stays where the network is: nothing asks a device for a value before the end."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import make_dataclass
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.aggregation import MeanMetric
from torchmetrics.classification import (
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassFBetaScore,
    MulticlassPrecision,
    MulticlassRecall,
)

from tests.tasks import regressions
from tests.tasks.conftest import CLASSES, COUNTS, TARGET, Given, batch_of, drawn, task
from tests.waiting import Waits
from tlx.columns import Image, Label, Labels, Number
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.components.registry import component
from tlx.config.task import Classification, Loss, Regression, RegressionLoss
from tlx.tasks.class_counts import F1, FBeta, Precision, Recall
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.matthews import Matthews
from tlx.tasks.mean_loss import MeanLoss
from tlx.tasks.protocol import Task
from tlx.tasks.regression import RegressionTask


def weighed(several: bool) -> tuple[Task, Batch]:
    """Examples of unlike weights; of several labels, some are unknown."""
    batch = drawn(several)
    batch.meta["weight"] = torch.rand(len(batch))
    if several:
        batch.targets[TARGET][::3, 1] = math.nan
    target = Labels(TARGET, classes=CLASSES, unknown=True) if several else Label(TARGET, classes=CLASSES)
    weight = Number("weight", role="weight")
    options = Classification(multilabel=several, loss=Loss(class_weight="auto"))
    return ClassificationTask(options, Schema((Image("picture", channels=1), target, weight), COUNTS)), batch


def measured(*names: str) -> Task:
    """A task of one label with these metrics."""
    found = {name: component("metric", name).config() for name in names}
    wanted = make_dataclass("Wanted", names)(**found)
    return ClassificationTask(
        Classification(metrics=wanted), Schema((Image("picture", channels=1), Label(TARGET, classes=CLASSES)), COUNTS)
    )


# not top_k and brier: torch's one_hot, which they are made of, asks a CPU for values and no GPU
OF_CLASSES = ("f1", "precision", "recall", "fbeta", "balanced_accuracy", "matthews")
CASES: dict[str, Callable[[], tuple[Task, Batch]]] = {
    "one label": lambda: (task(), drawn(False)),
    "several labels": lambda: (task(multilabel=True), drawn(True)),
    "one label, weighed": lambda: weighed(False),
    "several labels, weighed": lambda: weighed(True),
    "one label, more metrics": lambda: (measured(*OF_CLASSES), drawn(False)),
    "one number": lambda: (regressions.made(), regressions.drawn()),
    "numbers, huber": lambda: (
        RegressionTask(Regression(loss=RegressionLoss("huber")), Schema(regressions.TWO, {})),
        regressions.drawn(regressions.TWO),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_step_reads_no_value(case: str) -> None:
    one, batch = CASES[case]()
    one.fit(batch.targets)
    metrics = one.metrics()
    with Waits() as waits:
        one.training_step(Given(), batch)
        for _ in range(3):
            one.eval_step(Given(), batch, metrics)
    assert waits.found == []
    with Waits() as waits:
        one.compute(metrics)
    assert waits.found  # it does notice


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("at", [0, 2])
def test_whichever_batch_is_no_number_it_is_told_at_the_end(case: str, bad: float, at: int) -> None:
    one, batch = CASES[case]()
    one.fit(batch.targets)
    metrics, worse = one.metrics(), copy.deepcopy(batch)
    worse.inputs["outputs"][-1, -1] = bad
    for number in range(3):
        one.eval_step(Given(), worse if number == at else batch, metrics)
    with pytest.raises(FloatingPointError, match="the network gave NaN or infinity: try a smaller"):
        one.compute(metrics)
    one.eval_step(Given(), batch, metrics)  # a bad evaluation leaves nothing behind
    fresh = one.metrics()
    one.eval_step(Given(), batch, fresh)
    assert one.compute(metrics) == one.compute(fresh)


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@given(classes=st.integers(2, 7), sizes=sizes, seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_macro_f1_and_the_mean_loss_are_torchmetrics_own_to_the_last_bit(
    classes: int, sizes: list[int], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = (F1(classes), MeanLoss()), (MulticlassF1Score(classes, average="macro"), MeanMetric())
    for size in sizes:
        logits, labels = (
            torch.randn(size, classes, generator=generator),
            torch.randint(classes, (size,), generator=generator),
        )
        loss = F.cross_entropy(logits, labels)
        for f1, mean in (ours, theirs):
            f1.update(logits, labels)
            mean.update(loss, size)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.compute(), other.compute())
    for name in ("tp", "fp", "tn", "fn"):
        assert torch.equal(getattr(ours[0], name), getattr(theirs[0], name))


PAIRS: dict[str, tuple[Callable[[int, str], Metric], Callable[[int, str], Metric]]] = {
    "f1": (F1, lambda n, how: MulticlassF1Score(n, average=how)),  # type: ignore[arg-type]
    "fbeta": (partial(FBeta, 2.0), lambda n, how: MulticlassFBetaScore(2.0, n, average=how)),  # type: ignore[arg-type]
    "precision": (Precision, lambda n, how: MulticlassPrecision(n, average=how)),  # type: ignore[arg-type]
    "recall": (Recall, lambda n, how: MulticlassRecall(n, average=how)),  # type: ignore[arg-type]
}


@given(
    classes=st.integers(2, 7),
    counts=sizes,
    seed=st.integers(0, 99),
    kind=st.sampled_from(list(PAIRS)),
    average=st.sampled_from(["macro", "micro", "weighted"]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_made_of_counts_is_torchmetrics_own(
    classes: int, counts: list[int], seed: int, kind: str, average: str
) -> None:
    ours, theirs = (make(classes, average) for make in PAIRS[kind])
    pairs, matrix = Matthews(classes), MulticlassConfusionMatrix(classes)
    generator = torch.Generator().manual_seed(seed)
    for size in counts:
        outputs = torch.randn(size, classes, generator=generator).softmax(-1)
        labels = torch.randint(classes, (size,), generator=generator)
        for one in (ours, theirs, pairs, matrix):
            one.update(outputs, labels)
    assert torch.equal(ours.compute(), theirs.compute())
    assert torch.equal(pairs.confmat, matrix.confmat)


def test_the_mean_of_nothing_is_undefined() -> None:
    batch = batch_of(torch.zeros(2, 4), {TARGET: torch.full((2, 4), math.nan)})
    one, _ = weighed(True)
    batch.meta["weight"] = torch.ones(2)
    metrics = one.metrics()
    one.eval_step(Given(), batch, metrics)
    assert one.compute(metrics)["loss"] is None
