"""The metrics of a regression are scikit-learn's and SciPy's, for large and constant numbers too."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from torch import nn
from torch.multiprocessing.spawn import spawn

from tests.tasks.conftest import Given, some
from tests.tasks.regressions import ONE, TWO, drawn, evaluated, expected_metrics, in_own_units, made, standardised
from tlx.backbones.backbone import Backbone
from tlx.columns import Image, Number
from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import Values
from tlx.config.task import Regression
from tlx.data.examples import Examples
from tlx.data.source import Source
from tlx.tasks.network import Network
from tlx.tasks.regression import RegressionTask


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


@pytest.mark.long
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
