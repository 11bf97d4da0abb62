"""Regression tasks, drawn batches, and what scikit-learn and SciPy say of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr
from sklearn.metrics import (
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from torch import Tensor

from tests.tasks.conftest import Given, batch_of, parts
from tlx.columns import Column, Image, Number
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.config.task import Regression, RegressionLoss
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
