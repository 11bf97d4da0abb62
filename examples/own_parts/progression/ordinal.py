"""Ordinal regression: classes in an order, of which a wrong one that is near is less wrong than one that is far.

The head has an output less than there are classes. Output k is the log odds that the grade is above k, given that it is
k or above (Shi et al. 2021); what that makes of the grade is a distribution, and the loss is the negative logarithm of
what it gives to the true grade.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassCohenKappa

from progression.parts import Ordinal
from tlx.backbones.backbone import Backbone
from tlx.columns import Label
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.runs.metric import Metric
from tlx.tasks.metrics import Added, added, primary
from tlx.tasks.network import Network
from tlx.tasks.protocol import StepOutput

METRICS = (
    Metric("loss", "loss", "min"),
    Metric("mae", "mean absolute error in grades", "min"),
    Metric("kappa", "quadratic weighted kappa", "max"),
    Metric("acc", "accuracy", "max", percent=True),
)


def losses(outputs: Tensor, target: Tensor) -> Tensor:
    """The loss of each example [...] of outputs [..., classes - 1] and grades [...] that count from 0."""
    steps = torch.arange(outputs.shape[-1], device=outputs.device)
    asked = (target[..., None] >= steps).float()  # is the grade k or above?
    above = (target[..., None] > steps).float()
    return (asked * F.binary_cross_entropy_with_logits(outputs.float(), above, reduction="none")).sum(-1)


def distribution(outputs: Tensor) -> Tensor:
    """The probability of each grade [..., classes]; they sum to one."""
    above = outputs.float().sigmoid().cumprod(-1)  # P(grade > k)
    one = torch.ones_like(above[..., :1])
    return torch.cat([one, above], -1) - torch.cat([above, 0 * one], -1)


class OrdinalTask:
    """A linear head with an output for each step between grades; the mean absolute error decides."""

    form = "vector"

    def __init__(self, options: Ordinal, schema: Schema) -> None:
        """Raises :class:`ConfigError` where something else than one class of three or more is to be predicted."""
        self.options = options
        self.column: Label = schema.target((Label, Label))
        if len(self.column.classes) < 3:
            message = "two classes have no order to speak of; use task=classification"
            raise ConfigError([ConfigIssue("task", message, "ordinal")])
        self.weight = schema.weight
        self.added = added(options.metrics, [self.column])  # those of task.metrics
        known = [*METRICS, *(one.info for one in self.added.values())]
        self.metric_info = {metric.name: metric for metric in known}
        self.primary_metric = primary(options.primary_metric, "mae", self.metric_info)

    def build(self, backbone: Backbone, schema: Schema) -> nn.Module:
        """The backbone and the head."""
        return Network(backbone, schema, len(self.column.classes) - 1)

    def fit(self, targets: Mapping[str, Tensor]) -> None:
        """Nothing: the loss needs no statistics of train."""

    def target(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Grades [examples], from 0."""
        return targets[self.column.name]

    def weights(self, targets: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Tensor | None:
        """The weight of each example, where the data have one."""
        return meta[self.weight] if self.weight is not None else None

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The loss to descend."""
        return self._step(model(batch.inputs), batch)

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The same loss; outputs go to the metrics."""
        step = self._step(model(batch.inputs), batch)
        metrics.update(step.parts["outputs"], self.target(batch.targets), step.loss, step.weight)
        return step

    def _step(self, outputs: Tensor, batch: Batch) -> StepOutput:
        each = losses(outputs, self.target(batch.targets))
        weights = self.weights(batch.targets, batch.meta)
        if weights is None:
            return StepOutput(each.mean(), len(batch), {"outputs": outputs})
        return StepOutput((each * weights).sum() / weights.sum(), weights.sum(), {"outputs": outputs})

    def metrics(self) -> nn.Module:
        """Fresh metrics."""
        return OrdinalMetrics(len(self.column.classes), self.options.decide, Added(self.added))

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Their values."""
        return metrics.compute()

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """The grade of each example, by name, and the probability of each."""
        found = distribution(out.parts["outputs"] if out else model(batch.inputs))
        grades, shares = decided(found, self.options.decide).tolist(), found.double().cpu().tolist()
        records = [
            {"index": index, "prediction": self.column.classes[grade], "probabilities": [round(p, 6) for p in row]}
            for index, grade, row in zip(batch.index.tolist(), grades, shares, strict=True)
        ]
        if batch.targets:
            for record, true in zip(records, self.target(batch.targets).tolist(), strict=True):
                record["label"] = self.column.classes[true]
        return records

    def together(self, tasks: Sequence["OrdinalTask"]) -> "ManyOrdinal":
        """Heads side by side."""
        return ManyOrdinal(len(self.column.classes), self.options.decide)


def decided(found: Tensor, how: str) -> Tensor:
    """The grade [...] that a distribution [..., classes] is said to mean."""
    if how == "mode":
        return found.argmax(-1)
    return (found.cumsum(-1) < 0.5).sum(-1).clamp(max=found.shape[-1] - 1)


class OrdinalMetrics(nn.Module):
    """Loss, error in grades, kappa and accuracy; and what ``task.metrics`` adds."""

    def __init__(self, classes: int, decide: str, more: Added | None = None) -> None:
        super().__init__()
        self.decide, self.more = decide, more
        self.loss, self.mae, self.acc = MeanMetric(), MeanMetric(), MeanMetric()
        self.kappa = MulticlassCohenKappa(classes, weights="quadratic")

    def update(self, outputs: Tensor, target: Tensor, loss: Tensor, weight: float | Tensor) -> None:
        """Take in a batch."""
        if not outputs.isfinite().all():
            raise FloatingPointError("the network gave NaN or infinity: try a smaller strategy.lr")
        found = distribution(outputs)
        grades = decided(found, self.decide)
        self.loss.update(loss, weight)
        self.mae.update((grades - target).abs().float())
        self.acc.update((grades == target).float())
        self.kappa.update(grades, target)
        if self.more is not None:
            self.more.update(found, target)

    def compute(self) -> dict[str, float | None]:
        """Values by name, None where one is undefined; begins anew."""
        ours = {name: getattr(self, name) for name in ("loss", "mae", "kappa", "acc")}
        values = {name: metric.compute() for name, metric in ours.items()}
        for metric in ours.values():
            metric.reset()
        plain = {name: float(value) if value.isfinite() else None for name, value in values.items()}
        return plain | (self.more.compute() if self.more is not None else {})


class ManyOrdinal:
    """Losses and metrics of heads side by side, each as it would be alone."""

    def __init__(self, classes: int, decide: str) -> None:
        self.classes, self.decide = classes, decide

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """[heads] of outputs [heads, examples, classes - 1] and grades [heads, examples]."""
        return losses(outputs, targets).mean(1)

    def metrics(self, outputs: Tensor, targets: Tensor) -> list[dict[str, float | None]]:
        """Of each head; grades are [examples]."""
        found = []
        for one in outputs:
            metrics = OrdinalMetrics(self.classes, self.decide).to(one.device)
            metrics.update(one, targets, losses(one, targets).mean(), len(targets))
            found.append(metrics.compute())
        return found
