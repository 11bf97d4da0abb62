"""The losses of a regression are torch's and scikit-learn's, and weigh examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    mean_pinball_loss,
    mean_squared_error,
)
from torch.nn import functional as F

from tests.tasks.conftest import batch_of
from tests.tasks.regressions import LOSSES, ONE, SHARE, TWO, descended, drawn, evaluated, made, standardised
from tlx.columns import Number
from tlx.columns.batch import Batch
from tlx.config.task import RegressionLoss


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
