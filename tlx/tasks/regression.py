"""Regression: one number for each example, or several.

The network predicts numbers in deviations from the mean of train, so that rates that fit one target fit another; what
is reported is in the numbers' own units, but for the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx._compat.devices import onto
from tlx.backbones.backbone import Backbone, Form
from tlx.columns import Number
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.task import Regression, RegressionLoss
from tlx.runs.metric import Metric
from tlx.tasks import ridge, views
from tlx.tasks.losses import Each, mean, own
from tlx.tasks.metrics import added, primary
from tlx.tasks.network import Network
from tlx.tasks.protocol import StepOutput
from tlx.tasks.regression_metrics import RegressionMetrics

_METRICS = (
    Metric("loss", "loss", "min"),
    Metric("mae", "mean absolute error", "min"),
    Metric("rmse", "root mean squared error", "min"),
    Metric("r2", "R²", "max"),
    Metric("spearman", "Spearman's rank correlation", "max"),
)


def load(options: Regression, schema: Schema) -> RegressionTask:
    """Make the task."""
    return RegressionTask(options, schema)


class RegressionTask:
    """Squared error, or another; MAE, RMSE, R² and Spearman's rank correlation, of several numbers their means."""

    form: Form = "vector"
    solvers = ("ridge",)

    def __init__(self, options: Regression, schema: Schema) -> None:
        """Raises :class:`ConfigError` where something else than numbers is to be predicted."""
        found = list(schema.targets.values())
        self.columns = [column for column in found if isinstance(column, Number)]
        if not self.columns or len(self.columns) < len(found):
            there = ", ".join(f"{column.name!r} ({column.kind})" for column in found) or "none"
            message = f"expected numbers to predict, found {there}; dataset.label_type=number says that they are"
            raise ConfigError([ConfigIssue("task", message, "regression")])
        self.options = options
        self.weight = schema.weight
        self._own = own(options.loss, self.columns)
        self.added = added(options.metrics, self.columns)
        self.metric_info: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}
        self.metric_info = {**self.metric_info, **{name: one.info for name, one in self.added.items()}}
        usual = "rmse" if len(self.columns) == 1 else "r2"
        self.primary_metric = primary(options.primary_metric, usual, self.metric_info)
        self._mean = torch.tensor([column.mean for column in self.columns], dtype=torch.float64)
        self._deviation = torch.tensor([column.deviation for column in self.columns], dtype=torch.float64)

    def build(self, backbone: Backbone, schema: Schema) -> Network:
        """A network with one output per number."""
        return Network(backbone, schema, len(self.columns))

    def fit(self, targets: Mapping[str, Tensor]) -> None:
        """The columns know mean and deviation already."""

    def target(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Numbers in deviations from their means [examples, numbers]."""
        values = torch.stack([targets[column.name] for column in self.columns], dim=1)
        return ((values.double() - onto(self._mean, values.device)) / onto(self._deviation, values.device)).float()

    def weights(self, targets: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Tensor | None:
        """The weight of each example."""
        return meta[self.weight] if self.weight is not None else None

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The loss that is asked for."""
        outputs: Tensor = model(batch.inputs)
        loss, weight = self._loss(self._own or partial(losses, self.options.loss), outputs, batch)
        return StepOutput(loss, weight)

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The squared error; outputs go to the metrics."""
        outputs: Tensor = model(batch.inputs)
        loss, weight = self._loss(partial(losses, RegressionLoss()), outputs, batch)
        assert isinstance(metrics, RegressionMetrics)
        metrics.update(outputs, self.target(batch.targets), loss, weight)
        return StepOutput(loss, weight, {"outputs": outputs})

    def _loss(self, each_of: Each, outputs: Tensor, batch: Batch) -> tuple[Tensor, float | Tensor]:
        """The loss, and what it is a mean of."""
        each = each_of(outputs, self.target(batch.targets))
        each = each.mean(-1) if each.ndim > 1 else each
        counts = self.weights(batch.targets, batch.meta)
        return (each.mean(), len(batch)) if counts is None else (mean(each, counts), counts.sum())

    def metrics(self) -> nn.Module:
        """Metrics of this many numbers."""
        return RegressionMetrics(self._mean, self._deviation, self.added)

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Loss and metrics since the last call."""
        assert isinstance(metrics, RegressionMetrics)
        return metrics.compute()

    def undefined(self, targets: Mapping[str, Tensor]) -> str:
        """That the numbers are all the same, and the primary metric is of how they differ."""
        target = self.target(targets).cpu()
        if (target.amin(0) < target.amax(0)).all():
            return ""
        metrics = self.metrics()
        assert isinstance(metrics, RegressionMetrics)
        chance = torch.rand(target.shape, generator=torch.Generator().manual_seed(0))
        metrics.update(chance, target, losses(RegressionLoss(), chance, target).mean(), len(target))
        same = [one.name for one, so in zip(self.columns, target.amin(0) == target.amax(0), strict=True) if so]
        reason = f"where {' and '.join(map(repr, same))} is the same for all examples"
        return reason if metrics.compute()[self.primary_metric] is None else ""

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """Index, true and predicted number of each example; of several, each by its name."""
        outputs = (out.parts["outputs"] if out else model(batch.inputs)).double().cpu()
        predicted = (outputs * self._deviation + self._mean).tolist()
        names = [column.name for column in self.columns]
        truth = [batch.targets[name].tolist() for name in names] if batch.targets else None
        records = []
        for place, (index, row) in enumerate(zip(batch.index.tolist(), predicted, strict=True)):
            record: dict[str, Any] = {"index": index}
            if truth is not None:
                record["label"] = self._named([values[place] for values in truth])
            record["prediction"] = self._named(row)
            records.append(record)
        return records

    def mean_of_views(self, outputs: Tensor) -> Tensor:
        """The mean of each number."""
        return views.mean_of_numbers(outputs)

    def _named(self, values: Sequence[float]) -> Any:
        """One number as it is, several by name."""
        if len(values) == 1:
            return values[0]
        return {column.name: value for column, value in zip(self.columns, values, strict=True)}

    def solve(
        self, solver: str, features: Tensor, targets: Mapping[str, Tensor], weights: Tensor | None, head: nn.Linear
    ) -> None:
        """Ridge regression."""
        ridge.solve(features, self.target(targets), head, weights)

    def together(self, tasks: Sequence[RegressionTask]) -> ManyRegressions:
        """Heads of one loss."""
        return ManyRegressions(self.options.loss, self._mean, self._deviation)


def losses(options: RegressionLoss, outputs: Tensor, target: Tensor) -> Tensor:
    """The loss of each number [..., numbers], in deviations of train.

    ``mse``: the square. ``huber``: Huber 1964, as torch has it. ``quantile``: the pinball loss of
    Koenker & Bassett 1978.
    """
    outputs = outputs if outputs.dtype == torch.float64 else outputs.float()  # not in half precision
    target = target.to(outputs)
    if options.kind == "mse":
        return (outputs - target) ** 2
    if options.kind == "huber":
        return F.huber_loss(outputs, target, reduction="none", delta=options.delta)
    short = target - outputs
    return torch.maximum(options.quantile * short, (options.quantile - 1) * short)


class ManyRegressions:
    """Heads side by side, whose losses and metrics are those of one after the other."""

    def __init__(self, options: RegressionLoss, mean: Tensor, deviation: Tensor) -> None:
        self._options, self._mean, self._deviation = options, mean, deviation

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """[heads] of outputs and targets [heads, examples, numbers]."""
        return losses(self._options, outputs, targets).mean((1, 2))

    def metrics(self, outputs: Tensor, targets: Tensor) -> list[dict[str, float | None]]:
        """Of each head; outputs [heads, examples, numbers], targets [examples, numbers]."""
        found = []
        for one in outputs:
            metrics = RegressionMetrics(self._mean, self._deviation).to(one.device)
            metrics.update(one, targets, losses(RegressionLoss(), one, targets).mean(), len(targets))
            found.append(metrics.compute())
        return found
