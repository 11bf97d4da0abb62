"""Unknown labels count nowhere, and an example of weight k counts as k examples: by hand and against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from tests.tasks.conftest import CLASSES, TARGET, Given, batch_of, drawn, parts, schema, some, truth_and_outputs
from tlx.columns import Number
from tlx.columns.batch import Batch
from tlx.config.errors import ConfigError
from tlx.config.task import Classification, Loss
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.losses import criterion
from tlx.tasks.protocol import StepOutput

SHARE = Number("share", role="weight")
KINDS = [
    Loss(),
    Loss(label_smoothing=0.2),
    Loss(class_weight="auto"),
    Loss(label_smoothing=0.1, class_weight="auto", weights={"owl": 3.0}),
    Loss(kind="focal", gamma=0.5),
    Loss(kind="focal", class_weight="auto", weights={"cat": 0.5}),
]


def made(options: Loss, multilabel: bool, weighed: bool = False, unknown: bool = False) -> ClassificationTask:
    """A task whose examples have weights, or whose labels are unknown in part."""
    columns = schema(multilabel, "image", *([SHARE] if weighed else []), unknown=unknown)
    return ClassificationTask(Classification(multilabel=multilabel, loss=options), columns)


def forgotten(seed: int = 0, rows: int = 40, share: float = 0.3) -> Batch:
    """Several labels per example, some of them unknown."""
    batch = drawn(multilabel=True, rows=rows, seed=seed)
    labels, _ = truth_and_outputs(batch)
    labels[torch.rand(rows, 4, generator=torch.Generator().manual_seed(seed + 100)) < share] = math.nan
    return batch


def evaluated(one: ClassificationTask, batch: Batch, size: int = 16) -> dict[str, float | None]:
    """The metrics of a batch taken in parts of unequal size."""
    metrics = one.metrics()
    for part in parts(batch, size):
        one.eval_step(Given(), part, metrics)
    return one.compute(metrics)


def descended(one: ClassificationTask, batch: Batch) -> tuple[StepOutput, Tensor]:
    """The training step, and the gradient of the outputs [examples, classes]."""
    outputs = batch.inputs["outputs"].clone().requires_grad_()
    out = one.training_step(Given(), Batch(batch.index, {"outputs": outputs}, batch.targets, batch.meta))
    assert out.loss is not None
    (gradient,) = torch.autograd.grad(out.loss, outputs)
    return out, gradient


def by_label(batch: Batch, score: Callable[[np.ndarray, np.ndarray], float]) -> list[float]:
    """A score of the known entries of each label: truth, chances -> number."""
    labels, logits = (one.double().numpy() for one in truth_and_outputs(batch))
    known = ~np.isnan(labels)
    chances = 1 / (1 + np.exp(-logits))
    return [score(labels[known[:, i], i].astype(int), chances[known[:, i], i]) for i in range(labels.shape[1])]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_the_mean_over_what_is_known(seed: int, smoothing: float) -> None:
    batch = forgotten(seed)
    one = made(Loss(label_smoothing=smoothing), multilabel=True, unknown=True)
    one.fit(batch.targets)
    labels, logits = truth_and_outputs(batch)
    known = ~labels.isnan()
    smooth = labels.double() * (1 - smoothing) + smoothing / 2
    p = logits.double().sigmoid()
    entries = -(smooth * p.log() + (1 - smooth) * (1 - p).log())[known]
    out, _ = descended(one, batch)
    torch.testing.assert_close(out.loss, entries.mean().float())
    assert float(out.weight) == int(known.sum())


def test_the_focal_loss_is_the_mean_over_what_is_known() -> None:
    batch = forgotten()
    one = made(Loss(kind="focal", gamma=2.0), multilabel=True, unknown=True)
    one.fit(batch.targets)
    labels, logits = (value.double() for value in truth_and_outputs(batch))
    p = logits.sigmoid()
    right = torch.where(labels > 0, p, 1 - p)
    out, _ = descended(one, batch)
    torch.testing.assert_close(out.loss, (-((1 - right) ** 2) * right.log())[~labels.isnan()].mean().float())


def test_the_focal_loss_weighs_the_positives_of_a_label() -> None:
    """By hand: -w y (1 - p)^gamma log p - (1 - y) p^gamma log(1 - p), w of what is known of train."""
    batch = forgotten()
    one = made(Loss(kind="focal", gamma=1.5, class_weight="auto", weights={"cat": 0.5}), multilabel=True, unknown=True)
    one.fit(batch.targets)
    labels, logits = (value.double() for value in truth_and_outputs(batch))
    known, p = ~labels.isnan(), logits.sigmoid()
    positives = labels.nansum(0)
    weights = (known.sum(0) - positives) / positives
    weights[CLASSES.index("cat")] = 0.5
    entries = -weights * labels * (1 - p) ** 1.5 * p.log() - (1 - labels) * p**1.5 * (1 - p).log()
    torch.testing.assert_close(descended(one, batch)[0].loss, entries[known].mean().float())


@pytest.mark.parametrize("options", KINDS)
def test_what_is_unknown_has_a_gradient_of_zero(options: Loss) -> None:
    batch = forgotten()
    one = made(options, multilabel=True, unknown=True)
    one.fit(batch.targets)
    _, gradient = descended(one, batch)
    unknown = truth_and_outputs(batch)[0].isnan()
    assert (gradient[unknown] == 0).all()
    assert (gradient[~unknown] != 0).all()


def test_automatic_weights_are_of_what_is_known() -> None:
    train = torch.tensor([[1.0, 0.0, math.nan, math.nan]] * 3 + [[0.0, math.nan, 1.0, math.nan]] * 9)
    batch = drawn(multilabel=True)
    one = made(Loss(class_weight="auto"), multilabel=True, unknown=True)
    one.fit({TARGET: train})
    labels, logits = truth_and_outputs(batch)
    positive = torch.tensor([9 / 3, 1.0, 1.0, 1.0])  # what train never or always has weighs 1
    expected = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=positive)
    torch.testing.assert_close(descended(one, batch)[0].loss, expected)


@given(st.sampled_from(KINDS), st.integers(1, 39))
def test_the_parts_of_a_batch_give_what_the_whole_does(options: Loss, at: int) -> None:
    """Each part weighed by what its loss is a mean of."""
    batch = forgotten().map(lambda one: one.double() if one.is_floating_point() else one)
    one = made(options, multilabel=True, unknown=True)
    one.fit(batch.targets)
    whole, _ = descended(one, batch)
    first, second = (descended(one, some(batch, part))[0] for part in (slice(at), slice(at, None)))
    assert first.loss is not None
    assert second.loss is not None
    total = first.weight + second.weight
    torch.testing.assert_close((first.loss * first.weight + second.loss * second.weight) / total, whole.loss)
    assert float(total) == float(whole.weight)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_scikit_learns_on_what_is_known(seed: int) -> None:
    batch = forgotten(seed)
    values = evaluated(made(Loss(), multilabel=True, unknown=True), batch)
    labels, logits = truth_and_outputs(batch)
    known = ~labels.isnan()
    entries = F.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")[known]
    assert values["loss"] == pytest.approx(float(entries.mean()), rel=1e-5)
    assert values["f1_macro"] == pytest.approx(np.mean(by_label(batch, lambda y, p: f1_score(y, p > 0.5))))
    assert values["auroc_macro"] == pytest.approx(np.mean(by_label(batch, roc_auc_score)))
    assert values["ap_macro"] == pytest.approx(np.mean(by_label(batch, average_precision_score)), rel=1e-5)
    assert values["undefined_labels"] == 0


def test_a_label_unknown_everywhere_is_undefined() -> None:
    batch = forgotten()
    labels, logits = truth_and_outputs(batch)
    labels[:, 2] = math.nan
    values = evaluated(made(Loss(), multilabel=True, unknown=True), batch)
    rest = [0, 1, 3]
    others = batch_of(logits[:, rest], {TARGET: labels[:, rest]})
    assert values["undefined_labels"] == 1
    assert values["auroc_macro"] == pytest.approx(np.mean(by_label(others, roc_auc_score)))
    assert values["ap_macro"] == pytest.approx(np.mean(by_label(others, average_precision_score)), rel=1e-5)
    assert values["f1_macro"] == pytest.approx(np.mean(by_label(others, lambda y, p: f1_score(y, p > 0.5))))


def test_where_nothing_is_known_nothing_is_defined() -> None:
    batch = drawn(multilabel=True)
    truth_and_outputs(batch)[0].fill_(math.nan)
    values = evaluated(made(Loss(), multilabel=True, unknown=True), batch)
    assert (values["auroc_macro"], values["ap_macro"], values["undefined_labels"]) == (None, None, 4)
    assert (values["loss"], values["f1_macro"]) == (None, None)


def test_a_part_in_which_nothing_is_known_changes_nothing() -> None:
    batch = forgotten()
    empty = drawn(multilabel=True, rows=8)
    truth_and_outputs(empty)[0].fill_(math.nan)
    one = made(Loss(), multilabel=True, unknown=True)
    one.fit(batch.targets)
    out, gradient = descended(one, empty)
    assert out.loss is not None
    assert (out.loss.item(), float(out.weight), float(gradient.abs().max())) == (0, 0, 0)
    metrics = one.metrics()
    for part in (empty, batch, empty):
        one.eval_step(Given(), part, metrics)
    assert one.compute(metrics) == pytest.approx(evaluated(one, batch), rel=1e-6)


def test_predictions_show_the_labels_that_are_known_to_be_there() -> None:
    batch = batch_of(torch.zeros(1, 4), {TARGET: torch.tensor([[1.0, math.nan, 0.0, 1.0]])})
    (record,) = made(Loss(), multilabel=True, unknown=True).predict(Given(), batch)
    assert record["label"] == ["cat", "yak"]


WEIGHTS = st.lists(st.integers(0, 4), min_size=12, max_size=12)


def weighed_and_repeated(multilabel: bool, counts: list[int], unknown: bool, scale: float = 1.0) -> tuple[Batch, Batch]:
    """A batch with weights, and one in which each example comes as often as its weight says."""
    batch = forgotten(rows=12) if unknown else drawn(multilabel, rows=12)
    batch = batch.map(lambda one: one.double() if one.is_floating_point() else one)
    repeat = torch.tensor(counts)
    weighed = Batch(batch.index, batch.inputs, batch.targets, {SHARE.name: repeat.float() * scale})
    return weighed, batch.map(lambda one: one.repeat_interleave(repeat, dim=0))


@given(st.sampled_from(KINDS), st.sampled_from([(False, False), (True, False), (True, True)]), WEIGHTS)
def test_a_weight_is_as_good_as_that_many_copies(options: Loss, kind: tuple[bool, bool], counts: list[int]) -> None:
    multilabel, unknown = kind
    weighed, repeated = weighed_and_repeated(multilabel, counts, unknown)
    train = drawn(multilabel).targets  # whose classes decide the weights of classes
    found, expected = made(options, multilabel, True, unknown), made(options, multilabel, False, unknown)
    for one in (found, expected):
        one.fit(train)
    out, gradient = descended(found, weighed)
    known = 4 * sum(counts) if multilabel else sum(counts)
    if sum(counts) == 0:
        assert out.loss is not None
        assert (out.loss.item(), float(out.weight), float(gradient.abs().max())) == (0, 0, 0)
        return
    wanted, each = descended(expected, repeated)
    torch.testing.assert_close(out.loss, wanted.loss)
    assert float(out.weight) == float(wanted.weight) <= known
    summed = torch.zeros_like(gradient).index_add_(0, torch.arange(12).repeat_interleave(torch.tensor(counts)), each)
    torch.testing.assert_close(gradient, summed)


@given(st.sampled_from(KINDS), st.booleans(), WEIGHTS.filter(any), st.floats(0.01, 100))
def test_only_the_ratio_of_weights_matters(options: Loss, multilabel: bool, counts: list[int], scale: float) -> None:
    found = made(options, multilabel, weighed=True)
    found.fit(drawn(multilabel).targets)
    first, gradient = descended(found, weighed_and_repeated(multilabel, counts, unknown=False)[0])
    second, other = descended(found, weighed_and_repeated(multilabel, counts, unknown=False, scale=scale)[0])
    torch.testing.assert_close(second.loss, first.loss)
    torch.testing.assert_close(other, gradient)
    assert float(second.weight) == pytest.approx(scale * float(first.weight), rel=1e-5)


@given(st.booleans(), WEIGHTS.filter(any))
def test_the_evaluation_loss_is_weighed_as_well(multilabel: bool, counts: list[int]) -> None:
    weighed, repeated = weighed_and_repeated(multilabel, counts, unknown=False)
    found = evaluated(made(Loss(), multilabel, weighed=True), weighed, size=5)
    expected = evaluated(made(Loss(), multilabel), repeated, size=5)
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("unknown", [False, True])
def test_the_task_says_how_much_each_example_counts(weighed: bool, unknown: bool) -> None:
    one = made(Loss(), multilabel=True, weighed=weighed, unknown=unknown)
    labels = torch.tensor([[1.0, math.nan, 0, math.nan], [0, 1, 1, 0]]) if unknown else torch.zeros(2, 4)
    found = one.weights({TARGET: labels}, {SHARE.name: torch.tensor([3.0, 0.5])})
    if not weighed and not unknown:
        assert found is None
        return
    assert found is not None
    share = np.array([3.0, 0.5]) if weighed else np.ones(2)
    known = np.array([2, 4]) if unknown else np.ones(2)
    assert found.tolist() == list(share * known)


def by_example(outputs: Tensor, target: Tensor) -> Tensor:
    """A loss of somebody's own that gives one number for an example."""
    return F.binary_cross_entropy_with_logits(outputs, target, reduction="none").mean(1)


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12).filter(any))
def test_somebodys_loss_of_examples_is_weighed_as_one_of_labels(counts: list[int]) -> None:
    labels, logits = truth_and_outputs(drawn(multilabel=True, rows=12))
    weights = torch.tensor(counts, dtype=torch.float64)
    found = criterion(Loss(), CLASSES, labels, by_example)(logits.double(), labels.double(), weights)
    entries = F.binary_cross_entropy_with_logits(logits.double(), labels.double(), reduction="none")
    torch.testing.assert_close(found, (entries.mean(1) * weights).sum() / weights.sum())


def test_somebodys_loss_of_examples_cannot_leave_out_unknown_labels() -> None:
    labels, _ = truth_and_outputs(forgotten())
    with pytest.raises(ConfigError, match=r"task\.loss.*labels are unknown.*each label"):
        criterion(Loss(), CLASSES, labels, by_example)
