"""Regression: losses are torch's and scikit-learn's, metrics those of scikit-learn and scipy in own units."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn import functional as F

from tests.tasks.conftest import Given, batch_of, parts, some
from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Image, Label, Labels, Number, Text
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import Values
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError
from tlx.config.task import AutoTask, Classification, Loss, Regression, RegressionLoss
from tlx.data.examples import Examples
from tlx.data.source import Source
from tlx.tasks import ridge
from tlx.tasks.load import load
from tlx.tasks.network import Network
from tlx.tasks.regression import RegressionTask

Array = npt.NDArray[np.float64]
SHARE = Number("share", role="weight")
ONE = (Number("price", role="target", mean=2.0, deviation=3.0),)
TWO = (*ONE, Number("area", role="target", mean=-50.0, deviation=0.25))
LOSSES = [
    RegressionLoss(),
    RegressionLoss(kind="huber"),
    RegressionLoss(kind="huber", delta=0.25),
    RegressionLoss(kind="quantile"),
    RegressionLoss(kind="quantile", quantile=0.9),
]


def made(options: RegressionLoss | None = None, targets: Sequence[Number] = ONE, *more: Column) -> RegressionTask:
    schema = Schema((Image("picture", channels=1), *targets, *more), {"train": 60, "val": 20, "test": 20})
    return RegressionTask(Regression(loss=options or RegressionLoss()), schema)


def drawn(targets: Sequence[Number] = ONE, rows: int = 40, seed: int = 0) -> Batch:
    """Numbers about the mean of train, and outputs that are roughly right, in deviations."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(rows, len(targets), generator=generator, dtype=torch.float64)
    outputs = (truth + 0.7 * torch.randn(rows, len(targets), generator=generator)).float()
    own = {one.name: one.mean + one.deviation * truth[:, i] for i, one in enumerate(targets)}
    return batch_of(outputs, own)


def in_own_units(batch: Batch, targets: Sequence[Number]) -> tuple[Array, Array]:
    """Truth and predictions [examples, numbers]."""
    truth = np.stack([batch.targets[one.name].double().numpy() for one in targets], axis=1)
    means, deviations = np.array([one.mean for one in targets]), np.array([one.deviation for one in targets])
    return truth, batch.inputs["outputs"].double().numpy() * deviations + means


def standardised(batch: Batch, targets: Sequence[Number]) -> tuple[Tensor, Tensor]:
    """Outputs and truth in deviations of train [examples, numbers]."""
    truth = [(batch.targets[one.name].double() - one.mean) / one.deviation for one in targets]
    return batch.inputs["outputs"].double(), torch.stack(truth, dim=1)


def evaluated(one: RegressionTask, batch: Batch, size: int = 16) -> dict[str, float | None]:
    """The metrics of a batch taken in parts of unequal size."""
    metrics = one.metrics()
    for part in parts(batch, size):
        one.eval_step(Given(), part, metrics)
    return one.compute(metrics)


def descended(one: RegressionTask, batch: Batch) -> tuple[Tensor, float, Tensor]:
    """Loss, weight and gradient of the outputs of a training step."""
    outputs = batch.inputs["outputs"].clone().requires_grad_()
    out = one.training_step(Given(), Batch(batch.index, {"outputs": outputs}, batch.targets, batch.meta))
    assert out.loss is not None
    (gradient,) = torch.autograd.grad(out.loss, outputs)
    return out.loss.detach(), float(out.weight), gradient


def expected_metrics(truth: Array, predicted: Array) -> dict[str, float]:
    """By scikit-learn and scipy: of several numbers the mean."""
    ranks = [spearmanr(truth[:, i], predicted[:, i]).statistic for i in range(truth.shape[1])]
    return {
        "mae": mean_absolute_error(truth, predicted),
        "rmse": root_mean_squared_error(truth, predicted),
        "r2": r2_score(truth, predicted),
        "spearman": float(np.mean(ranks)),
    }


# Losses


@pytest.mark.parametrize("targets", [ONE, TWO])
def test_squared_and_huber_losses_are_torchs(targets: Sequence[Number]) -> None:
    batch = drawn(targets)
    outputs, truth = standardised(batch, targets)
    for options, expected in (
        (RegressionLoss(), F.mse_loss(outputs, truth)),
        (RegressionLoss(kind="huber"), F.huber_loss(outputs, truth)),
        (RegressionLoss(kind="huber", delta=0.25), F.huber_loss(outputs, truth, delta=0.25)),
    ):
        loss, weight, _ = descended(made(options, targets), batch)
        torch.testing.assert_close(loss, expected.float())
        assert weight == 40


@pytest.mark.parametrize("targets", [ONE, TWO])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_scikit_learns(targets: Sequence[Number], quantile: float) -> None:
    batch = drawn(targets)
    outputs, truth = standardised(batch, targets)
    expected = mean_pinball_loss(truth.numpy(), outputs.numpy(), alpha=quantile)
    loss, _, _ = descended(made(RegressionLoss(kind="quantile", quantile=quantile), targets), batch)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.75])
def test_the_best_constant_for_a_quantile_is_the_quantile(quantile: float) -> None:
    batch = drawn(rows=401)
    _, truth = standardised(batch, ONE)
    one = made(RegressionLoss(kind="quantile", quantile=quantile))
    grid = torch.linspace(-2, 2, 801)
    losses = [float(descended(one, batch_of(torch.full((401, 1), float(at)), batch.targets))[0]) for at in grid]
    best = float(grid[int(np.argmin(losses))])
    assert float((truth <= best).double().mean()) == pytest.approx(quantile, abs=0.01)


@pytest.mark.parametrize("options", LOSSES)
def test_reported_is_always_the_squared_error(options: RegressionLoss) -> None:
    batch = drawn(TWO)
    outputs, truth = standardised(batch, TWO)
    values = evaluated(made(options, TWO), batch)
    assert values["loss"] == pytest.approx(mean_squared_error(truth.numpy(), outputs.numpy()), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("options", LOSSES)
def test_a_network_of_another_precision_descends_as_well(options: RegressionLoss, dtype: torch.dtype) -> None:
    batch = drawn(TWO)
    outputs, one = batch.inputs["outputs"].to(dtype), made(options, TWO)
    loss, _, gradient = descended(one, batch_of(outputs, batch.targets))
    wanted, _, exact = descended(one, batch_of(outputs.float(), batch.targets))
    torch.testing.assert_close(loss.float(), wanted, rtol=1e-2, atol=1e-4)
    torch.testing.assert_close(gradient.float(), exact, rtol=1e-2, atol=1e-4)


@given(st.sampled_from(LOSSES), st.sampled_from([ONE, TWO]), st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_a_weight_is_as_good_as_that_many_copies(
    options: RegressionLoss, targets: Sequence[Number], counts: list[int]
) -> None:
    repeat = torch.tensor(counts)
    plain = drawn(targets, rows=12)
    weighed = Batch(plain.index, plain.inputs, plain.targets, {SHARE.name: repeat.float()})
    loss, weight, gradient = descended(made(options, targets, SHARE), weighed)
    assert weight == sum(counts)
    if not any(counts):
        assert (float(loss), float(gradient.abs().max())) == (0, 0)
        return
    wanted, _, each = descended(made(options, targets), plain.map(lambda one: one.repeat_interleave(repeat, dim=0)))
    torch.testing.assert_close(loss, wanted)
    summed = torch.zeros_like(gradient).index_add_(0, torch.arange(12).repeat_interleave(repeat), each)
    torch.testing.assert_close(gradient, summed)


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12).filter(any))
def test_the_evaluation_loss_is_weighed_as_well(counts: list[int]) -> None:
    repeat, plain = torch.tensor(counts), drawn(TWO, rows=12)
    weighed = Batch(plain.index, plain.inputs, plain.targets, {SHARE.name: repeat.float()})
    repeated = plain.map(lambda one: one.repeat_interleave(repeat, dim=0))
    found = evaluated(made(None, TWO, SHARE), weighed, size=5)["loss"]
    assert found == pytest.approx(evaluated(made(None, TWO), repeated, size=5)["loss"], rel=1e-5)


# Metrics


@pytest.mark.parametrize("targets", [ONE, TWO])
@pytest.mark.parametrize("size", [40, 16, 7])
@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_scikit_learns_and_scipys(targets: Sequence[Number], size: int, seed: int) -> None:
    batch = drawn(targets, seed=seed)
    values = evaluated(made(targets=targets), batch, size)
    values.pop("loss")
    assert values == pytest.approx(expected_metrics(*in_own_units(batch, targets)), rel=1e-4)


def test_ranks_that_are_tied_share_their_rank() -> None:
    batch = drawn()
    batch.targets["price"].round_()
    batch.inputs["outputs"].round_()
    values = evaluated(made(), batch)
    assert values["spearman"] == pytest.approx(expected_metrics(*in_own_units(batch, ONE))["spearman"], rel=1e-4)


@pytest.mark.parametrize("mean", [1e6, -1e6, 1e9])
def test_large_numbers_of_a_small_spread(mean: float) -> None:
    """In the numbers' own units squares would be lost in rounding."""
    targets = (Number("far", role="target", mean=mean, deviation=0.5),)
    batch = drawn(targets)
    values = evaluated(made(targets=targets), batch)
    outputs, truth = standardised(batch, targets)
    expected = expected_metrics(truth.numpy(), outputs.numpy())
    expected |= {"mae": expected["mae"] * 0.5, "rmse": expected["rmse"] * 0.5}
    values.pop("loss")
    assert values == pytest.approx(expected, rel=1e-4)
    records = made(targets=targets).predict(Given(), batch)
    assert [record["prediction"] for record in records] == pytest.approx(
        (outputs[:, 0] * 0.5 + mean).tolist(), abs=1e-5, rel=1e-13
    )


@pytest.mark.parametrize("mean", [1e6, 1e9])
def test_large_numbers_come_through_a_batch(mean: float) -> None:
    """What the network learns is their spread, which 32 bits beside the mean would not hold."""
    rng = np.random.default_rng(0)
    values = mean + 0.5 * rng.normal(size=40)
    columns = [Number("at", role="input"), Number("far", role="target")]
    source = Source(columns, {"at": np.zeros(40), "far": values}, {}).encoded().fitted(np.arange(40))
    batch = Examples(source, np.arange(40), {}).batch(range(40), {})
    found = RegressionTask(Regression(), source.schema({})).target(batch.targets)
    np.testing.assert_allclose(found.double().numpy()[:, 0], (values - values.mean()) / values.std(), atol=1e-5)


@pytest.mark.parametrize("mean", [0.0, 1e6, 1e9])
def test_large_numbers_reach_the_head_beside_the_features(mean: float) -> None:
    values = mean + 0.5 * np.random.default_rng(0).normal(size=40)
    columns = [Image("picture", channels=1), Number("at"), Number("price", role="target")]
    rows: dict[str, Values] = {"picture": np.zeros((40, 3, 4), np.uint8), "at": values, "price": np.arange(40.0)}
    source = Source(columns, rows, {}).encoded().fitted(np.arange(40))
    spec = ImageSpec(1, 3, 4, (0.0,), (1.0,))
    network = Network(Backbone(nn.Flatten(), 12, takes={"input": spec}), source.schema({}), 1)
    batch = Examples(source, np.arange(40), network.specs).__getitems__([(0, at) for at in range(40)])
    found = network.features(batch.inputs)
    assert found.shape == (40, 13)
    expected = (values - values.mean()) / values.std()
    np.testing.assert_allclose(found[:, 12].double().numpy(), expected, atol=1e-5)


def test_a_label_is_shown_as_it_was_given() -> None:
    values = [0.1, 1234567.891, -3.3]
    source = Source([Number("price", role="target")], {"price": values}, {}).encoded().fitted(np.arange(3))
    batch = Examples(source, np.arange(3), {}).batch(range(3), {"outputs": torch.zeros(3, 1)})
    records = RegressionTask(Regression(), source.schema({})).predict(Given(), batch)
    assert [record["label"] for record in records] == pytest.approx(values, rel=1e-12)


def process(rank: int, rows: int, place: Path) -> None:
    """One of two processes that have seen an example each at least."""
    torch.set_num_threads(1)
    at = f"file://{place / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=at, rank=rank, world_size=2, timeout=timedelta(seconds=30))
    one, batch = made(targets=TWO), drawn(TWO, rows=rows)
    metrics = one.metrics()
    one.eval_step(Given(), some(batch, slice(0, rows - 1) if rank == 0 else slice(rows - 1, rows)), metrics)
    (place / f"{rank}.json").write_text(json.dumps(one.compute(metrics)))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 3])
def test_two_processes_find_what_one_does(rows: int, folder: Path) -> None:
    """However few examples one of them has seen."""
    spawn(process, (rows, folder), nprocs=2)  # type: ignore[no-untyped-call]
    expected = evaluated(made(targets=TWO), drawn(TWO, rows=rows))
    assert expected["r2"] is not None
    for rank in range(2):
        assert json.loads((folder / f"{rank}.json").read_text()) == pytest.approx(expected, rel=1e-5)


def test_numbers_far_from_those_of_train() -> None:
    """A split of another mean: what the deviations of train make of it is neither small nor about zero."""
    targets = (Number("far", role="target", mean=0.0, deviation=1.0),)
    batch = drawn(targets).map(lambda one: one + 1000 if one.is_floating_point() else one)
    values = evaluated(made(targets=targets), batch)
    values.pop("loss")
    assert values == pytest.approx(expected_metrics(*in_own_units(batch, targets)), rel=1e-3)


def test_a_split_of_a_small_spread() -> None:
    """Its R² is not that of a constant, although it spreads little beside train."""
    targets = (Number("near", role="target", mean=0.0, deviation=1.0),)
    batch = drawn(targets).map(lambda one: one * 1e-4 if one.is_floating_point() else one)
    values = evaluated(made(targets=targets), batch)
    values.pop("loss")
    assert values == pytest.approx(expected_metrics(*in_own_units(batch, targets)), rel=1e-3)


@pytest.mark.parametrize("targets", [ONE, TWO])
def test_one_example_has_errors_and_neither_r2_nor_ranks(targets: Sequence[Number]) -> None:
    batch = drawn(targets, rows=1)
    values = evaluated(made(targets=targets), batch)
    truth, predicted = in_own_units(batch, targets)
    assert (values["r2"], values["spearman"]) == (None, None)
    assert values["mae"] == pytest.approx(mean_absolute_error(truth, predicted), rel=1e-5)
    assert values["rmse"] == pytest.approx(root_mean_squared_error(truth, predicted), rel=1e-5)


@pytest.mark.parametrize("targets", [ONE, TWO])
@pytest.mark.parametrize("perfect", [False, True])
def test_of_a_constant_target_r2_and_ranks_are_undefined(targets: Sequence[Number], perfect: bool) -> None:
    batch = drawn(targets)
    batch.targets["price"].fill_(2.0)
    if perfect:
        batch.inputs["outputs"][:, 0] = 0.0
    values = evaluated(made(targets=targets), batch)
    truth, predicted = in_own_units(batch, targets)
    assert (values["r2"], values["spearman"]) == (None, None)
    assert values["mae"] == pytest.approx(mean_absolute_error(truth, predicted), rel=1e-5)


def test_of_constant_predictions_ranks_are_undefined() -> None:
    batch = drawn()
    batch.inputs["outputs"].fill_(0.25)
    values = evaluated(made(), batch)
    assert values["spearman"] is None
    assert values["r2"] == pytest.approx(r2_score(*in_own_units(batch, ONE)), abs=1e-5)


@pytest.mark.parametrize("targets", [ONE, TWO])
def test_metrics_begin_anew_after_each_evaluation(targets: Sequence[Number]) -> None:
    one = made(targets=targets)
    metrics = one.metrics()
    for batch in (drawn(targets, seed=1), drawn(targets, rows=1, seed=2), drawn(targets, seed=3)):
        one.eval_step(Given(), batch, metrics)
        assert one.compute(metrics) == evaluated(one, batch, size=40)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_outputs_that_are_no_numbers_stop_the_evaluation(bad: float) -> None:
    batch = drawn(TWO)
    batch.inputs["outputs"][3, 1] = bad
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        evaluated(made(targets=TWO), batch)


@pytest.mark.parametrize(("targets", "name"), [(ONE, "rmse"), (TWO, "r2")])
def test_models_are_chosen_by_a_metric_the_task_computes(targets: Sequence[Number], name: str) -> None:
    one = made(targets=targets)
    assert one.primary_metric == name
    assert set(evaluated(one, drawn(targets))) == set(one.metric_info)
    assert {metric.name: metric.goal for metric in one.metric_info.values()} == {
        **dict.fromkeys(("loss", "mae", "rmse"), "min"),
        **dict.fromkeys(("r2", "spearman"), "max"),
    }


# Predictions


def test_predictions_are_plain_records_in_own_units() -> None:
    batch = batch_of(torch.tensor([[0.5], [-2.0]]), {"price": torch.tensor([3.25, 8.0], dtype=torch.float64)})
    records = made().predict(Given(), batch)
    assert json.loads(json.dumps(records)) == records
    assert records == [{"index": 0, "label": 3.25, "prediction": 3.5}, {"index": 1, "label": 8.0, "prediction": -4.0}]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predictions_of_several_numbers_are_by_name(dtype: torch.dtype) -> None:
    truth = {"price": torch.tensor([3.25]), "area": torch.tensor([-49.5])}
    batch = batch_of(torch.tensor([[0.5, -4.0]], dtype=dtype), truth)
    (record,) = made(targets=TWO).predict(Given(), batch)
    assert record == {
        "index": 0,
        "label": {"price": 3.25, "area": -49.5},
        "prediction": {"price": 3.5, "area": -51.0},
    }


def test_predictions_without_targets_have_no_label() -> None:
    (record,) = made().predict(Given(), batch_of(torch.zeros(1, 1), {}))
    assert record == {"index": 0, "prediction": 2.0}


def test_what_a_step_gave_spares_predictions_a_forward() -> None:
    class Never(nn.Module):
        def forward(self, inputs: Mapping[str, Any]) -> Tensor:
            raise AssertionError("a second forward")

    one, batch = made(), drawn()
    out = one.eval_step(Given(), batch, one.metrics())
    assert one.predict(Never(), batch, out) == one.predict(Given(), batch)


# Heads side by side


@pytest.mark.parametrize("options", LOSSES)
@pytest.mark.parametrize("targets", [ONE, TWO])
def test_heads_side_by_side_give_what_each_gives_alone(options: RegressionLoss, targets: Sequence[Number]) -> None:
    one = made(options, targets)
    batches = [drawn(targets, seed=seed) for seed in range(3)]
    many = one.together([one] * 3)
    outputs = torch.stack([batch.inputs["outputs"] for batch in batches])
    found = many.losses(outputs, torch.stack([one.target(batch.targets) for batch in batches]))
    torch.testing.assert_close(found, torch.stack([descended(one, batch)[0] for batch in batches]))
    truth = batches[0].targets
    alone = [evaluated(one, batch_of(batch.inputs["outputs"], truth), size=40) for batch in batches]
    for mine, wanted in zip(many.metrics(outputs, one.target(truth)), alone, strict=True):
        assert mine == pytest.approx(wanted, rel=1e-5)


# The exact solution


@pytest.mark.parametrize(("rows", "width"), [(60, 7), (12, 30), (30, 30), (400, 3)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_solution_is_scikit_learns(rows: int, width: int, outputs: int) -> None:
    rng = np.random.default_rng(rows)
    features = rng.normal(size=(rows, width)) * rng.uniform(0.01, 100, width) + rng.normal(size=width) * 10
    targets = features @ rng.normal(size=(width, outputs)) / 100 + rng.normal(size=(rows, outputs)) + 5
    head = nn.Linear(width, outputs).double()
    ridge.solve(torch.from_numpy(features), torch.from_numpy(targets), head)
    scaler = StandardScaler()
    scaled = scaler.fit_transform(features)
    expected = Ridge(alpha=1.0, solver="cholesky").fit(scaled, targets)
    new = rng.normal(size=(20, width)) * 10
    for values in (features, new):
        found = head(torch.from_numpy(values)).detach().numpy()
        wanted = np.asarray(expected.predict(scaler.transform(values))).reshape(found.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_a_constant_feature_has_no_weight() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 3))
    features[:, 1] = 1e6
    head = nn.Linear(3, 1).double()
    ridge.solve(torch.from_numpy(features), torch.from_numpy(rng.normal(size=(30, 1))), head)
    assert head.weight[0, 1].item() == 0
    assert torch.isfinite(head.weight).all()


@pytest.mark.parametrize("shift", [1e-4, 1.0, 1e4])
def test_features_of_another_size_are_solved_alike(shift: float) -> None:
    """Standardised, they are the same."""
    rng = np.random.default_rng(0)
    features, targets = torch.from_numpy(rng.normal(size=(30, 4))), torch.from_numpy(rng.normal(size=(30, 1)))
    first, second = nn.Linear(4, 1).double(), nn.Linear(4, 1).double()
    ridge.solve(features, targets, first)
    ridge.solve(features * shift + shift, targets, second)
    torch.testing.assert_close(second(features * shift + shift), first(features), rtol=1e-9, atol=1e-9)


def test_the_task_solves_for_what_the_network_predicts() -> None:
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(50, 6))).float()
    batch = drawn(TWO, rows=50)
    head = nn.Linear(6, 2)
    one = made(targets=TWO)
    assert tuple(one.solvers) == ("ridge",)
    one.solve("ridge", features, batch.targets, None, head)
    records = one.predict(Given(), batch_of(head(features).detach(), batch.targets))
    scaled = StandardScaler().fit_transform(features.double().numpy())
    for column in TWO:
        truth = batch.targets[column.name].numpy()
        expected = Ridge(alpha=1.0).fit(scaled, truth).predict(scaled)
        found = [record["prediction"][column.name] for record in records]
        np.testing.assert_allclose(found, expected, atol=1e-5 * column.deviation, rtol=1e-5)


# What it is for


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ((Label("kind", classes=("a", "b")),), "'kind' (label)"),
        ((Labels("kinds", classes=("a", "b")),), "'kinds' (labels)"),
        ((*ONE, Label("kind", classes=("a", "b"))), "'kind' (label)"),
        ((), "none"),
        ((Text("words", role="target"),), "'words' (text)"),
    ],
)
def test_what_is_no_number_is_refused(targets: Sequence[Column], found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Regression(), Schema((Image("picture", channels=1), *targets)))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("task", "regression")
    assert found in problem.message
    assert "dataset.label_type=number" in problem.message


@pytest.mark.parametrize("targets", [ONE, TWO])
def test_auto_is_regression_of_numbers(targets: Sequence[Number]) -> None:
    schema = Schema((Text("words"), *targets))
    one = load(AutoTask(), schema)
    assert isinstance(one, RegressionTask)
    assert one.options == Regression()
    with pytest.raises(ConfigError, match="task=regression") as caught:
        load(AutoTask(loss=Loss(kind="focal")), schema)
    assert [problem.key for problem in caught.value.problems] == ["task.loss"]


def test_numbers_are_no_classes() -> None:
    with pytest.raises(ConfigError, match=r"expected one target of kind label or labels, found 'price' \(number\)"):
        load(Classification(), Schema((Text("words"), *ONE)))


def test_exact_solutions_weigh_examples_as_their_repetition_does() -> None:
    rng = np.random.default_rng(1)
    features, targets = torch.from_numpy(rng.normal(size=(30, 4))), torch.from_numpy(rng.normal(size=(30, 2)))
    weights = torch.from_numpy(rng.integers(0, 4, size=30))
    scaled = StandardScaler().fit_transform(features.numpy())
    head = nn.Linear(4, 2)
    ridge.solve(features, targets, head, weights)
    expected = Ridge(alpha=1.0).fit(scaled, targets.numpy(), sample_weight=weights.numpy()).predict(scaled)
    np.testing.assert_allclose(head(features.float()).detach().numpy(), expected, atol=1e-5)
