"""Classification, with one label per example or several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.classification.accuracy import MulticlassAccuracy

from tlx.backbones.backbone import Backbone, Form
from tlx.columns import Label, Labels
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.task import Classification, Loss
from tlx.runs.metric import Metric
from tlx.tasks import logistic, losses, multilabel, per_class, temperature, views
from tlx.tasks.class_counts import F1
from tlx.tasks.kept import Kept
from tlx.tasks.many import ManyClassifiers
from tlx.tasks.metrics import AddedMetric, added, primary
from tlx.tasks.network import Network
from tlx.tasks.protocol import StepOutput
from tlx.tasks.task_metrics import TaskMetrics

_LOSS = Metric("loss", "loss", "min")
_F1 = Metric("f1_macro", "macro F1", "max", percent=True)
_ONE_LABEL = (_LOSS, _F1, Metric("acc", "accuracy", "max", percent=True))
_SEVERAL = (
    _LOSS,
    _F1,
    Metric("auroc_macro", "macro AUROC", "max", percent=True),
    Metric("ap_macro", "macro average precision", "max", percent=True),
    Metric("undefined_labels", "labels without AUROC", "min"),
)
_ENOUGH, _TIMES = 64, 4  # classes among which every metric is defined; examples of each
_SHOWN = 5  # classes that are named
_UNKNOWN = -1  # stands in metrics for a label that nobody knows


def load(options: Classification, schema: Schema) -> ClassificationTask:
    """Make the task."""
    return ClassificationTask(options, schema)


class ClassificationTask:
    """Cross entropy over classes, or per label; accuracy and F1, or F1, AUROC and average precision."""

    form: Form = "vector"

    def __init__(self, options: Classification, schema: Schema) -> None:
        self.column: Label | Labels = schema.target((Label, Labels))
        self.several = isinstance(self.column, Labels)
        if self.several != options.multilabel:
            message = "the data have several labels per example" if self.several else "the data have one label each"
            raise ConfigError([ConfigIssue("task.multilabel", message, options.multilabel)])
        losses.check(options.loss, self.column.classes)
        self._own = losses.own(options.loss, [self.column])
        self.options = options
        self.calibrated = options.calibration != "none"
        self.weight = schema.weight
        self.unknown = isinstance(self.column, Labels) and self.column.unknown
        self._criterion: losses.Criterion | None = None
        shape = (0, len(self.column.classes)) if self.several else (0,)
        self._plain = losses.criterion(Loss(), self.column.classes, torch.empty(shape))
        known = _SEVERAL if self.several else _ONE_LABEL
        self.solvers = () if self.several else ("logistic",)
        self.added = added(options.metrics, [self.column])
        self.metric_info: Mapping[str, Metric] = {metric.name: metric for metric in known}
        self.metric_info = {**self.metric_info, **{name: one.info for name, one in self.added.items()}}
        usual = "f1_macro" if self.several else "acc"
        self.primary_metric = primary(options.primary_metric, usual, self.metric_info)

    def build(self, backbone: Backbone, schema: Schema) -> Network:
        """A network with one output per class."""
        return Network(backbone, schema, len(self.column.classes), calibrated=self.calibrated)

    def fit(self, targets: Mapping[str, Tensor]) -> None:
        """Make the loss, whose class weights are of train."""
        self._criterion = losses.criterion(self.options.loss, self.column.classes, self.target(targets), self._own)

    def target(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Classes [examples], or 0, 1 and NaN [examples, classes]."""
        return targets[self.column.name]

    def weights(self, targets: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Tensor | None:
        """The weight of each example, times its known labels where some are unknown."""
        weight: Tensor | None = meta[self.weight] if self.weight is not None else None
        if not self.unknown:
            return weight
        known = (~self.target(targets).isnan()).sum(1)
        return known if weight is None else known * weight

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The loss that is asked for."""
        if self._criterion is None:
            raise RuntimeError("the task has not seen the labels of train: fit it first")
        loss, weight = self._loss(self._criterion, model(batch.inputs), batch)
        return StepOutput(loss, weight)

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The plain loss; logits go to the metrics."""
        logits = model(batch.inputs)
        loss, weight = self._loss(self._plain, logits, batch)
        assert isinstance(metrics, ClassificationMetrics)
        metrics.update(logits, self.target(batch.targets), loss, weight)
        return StepOutput(loss, weight, {"outputs": logits})

    def _loss(self, criterion: losses.Criterion, logits: Tensor, batch: Batch) -> tuple[Tensor, float | Tensor]:
        """The loss, and what it is a mean of."""
        target = self.target(batch.targets)
        if self.weight is None and not self.unknown:
            return criterion(logits, target), len(target)
        counts = batch.meta[self.weight] if self.weight is not None else torch.ones(len(target), device=logits.device)
        weights = self.weights(batch.targets, batch.meta)
        assert weights is not None
        return criterion(logits, target, counts), weights.sum()

    def metrics(self) -> nn.Module:
        """Metrics for this many classes."""
        return ClassificationMetrics(len(self.column.classes), self.several, self.added)

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Loss and metrics since the last call."""
        assert isinstance(metrics, ClassificationMetrics)
        return metrics.compute()

    def undefined(self, targets: Mapping[str, Tensor]) -> str:
        """That too few classes are there for the primary metric, which is asked about examples of each."""
        labels, names = self.target(targets).cpu(), self.column.classes
        if self.several:  # of each label what is known of it: least and most
            known = ~labels.isnan()
            low, high = (labels.where(known, end) for end in (math.inf, -math.inf))
            there = torch.stack([low.amin(0), high.amax(0)])
            there = there.where(there.isfinite(), math.nan)
            some = "no label is known to have both positives and negatives"
            reason = f"where {some if known.any() else 'no label is known'}"
        else:
            there = torch.unique(labels)
            if len(there) == len(names):
                return ""
            shown = ", ".join(repr(names[int(one)]) for one in there[:_SHOWN])
            reason = f"where all examples are of {len(there)} of {len(names)} classes ({shown})"
        there = there[:_ENOUGH].repeat(_TIMES, *([1] if self.several else []))
        metrics = self.metrics()
        assert isinstance(metrics, ClassificationMetrics)
        chance = torch.rand(len(there), len(names), generator=torch.Generator().manual_seed(0))
        loss = self._plain(chance, there, torch.ones(len(there))) if self.unknown else self._plain(chance, there)
        metrics.update(chance, there, loss, len(there))
        return reason if metrics.compute()[self.primary_metric] is None else ""

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """Index, true label, prediction and probabilities of each example, classes by name."""
        logits = (out.parts["outputs"] if out else model(batch.inputs)).float()
        probabilities = logits.sigmoid() if self.several else logits.softmax(-1)
        names = self.column.classes
        chosen: list[Any]
        if self.several:
            decided = multilabel.positive(probabilities).tolist()
            chosen = [[name for name, so in zip(names, row, strict=True) if so] for row in decided]
        else:
            chosen = [names[best] for best in probabilities.argmax(-1).tolist()]
        records = []
        shown = _shown(probabilities, self.several).tolist()
        labels = self.target(batch.targets).tolist() if batch.targets else [None] * len(batch)
        for index, label, prediction, row in zip(batch.index.tolist(), labels, chosen, shown, strict=True):
            record: dict[str, Any] = {"index": index}
            if label is not None:
                record["label"] = self.column.shown(label)
            record["prediction"] = prediction
            record["probabilities"] = row
            records.append(record)
        return records

    def mean_of_views(self, outputs: Tensor) -> Tensor:
        """Logits of the mean probabilities."""
        return (views.mean_of_labels if self.several else views.mean_of_classes)(outputs)

    def fitted_temperature(
        self, outputs: Tensor, targets: Mapping[str, Tensor], meta: Mapping[str, Any]
    ) -> temperature.Temperature:
        """Fit what logits are divided by, each example counting as in the loss."""
        fit = temperature.of_several_labels if self.several else temperature.of_one_label
        counts = meta[self.weight].cpu().numpy() if self.weight is not None else None
        return fit(outputs.cpu().numpy(), self.target(targets).cpu().numpy(), counts)

    def tables(self, records: Iterable[Mapping[str, Any]], targets: Mapping[str, Tensor]) -> per_class.Tables:
        """Scores of each class; which is taken for which, of one label per example."""
        make = per_class.of_several_labels if self.several else per_class.of_one_label
        return make(self.column.classes, self.target(targets).cpu().numpy(), records)

    def solve(
        self, solver: str, features: Tensor, targets: Mapping[str, Tensor], weights: Tensor | None, head: nn.Linear
    ) -> None:
        """Logistic regression."""
        logistic.solve(features, self.target(targets), head, weights)

    def together(self, tasks: Sequence[ClassificationTask]) -> ManyClassifiers | None:
        """Heads that differ in their label smoothing; None for several labels per example."""
        return None if self.several else ManyClassifiers([task.options.loss.label_smoothing for task in tasks])


class ClassificationMetrics(TaskMetrics):
    """torchmetrics, with undefined values said to be undefined instead of 0."""

    def __init__(self, classes: int, multilabel: bool, added: Mapping[str, AddedMetric] | None = None) -> None:
        super().__init__(added)
        self.multilabel = multilabel
        if multilabel:
            self.kept = Kept(classes)
        else:
            self.acc = MulticlassAccuracy(classes, average="micro", validate_args=False)
            self.f1_macro = F1(classes)

    def update(self, logits: Tensor, labels: Tensor, loss: Tensor, weight: float | Tensor) -> None:
        """Take in a batch."""
        self.count(logits, loss, weight)
        if self.multilabel:
            labels = labels.nan_to_num(_UNKNOWN).int()
            self.kept.update(logits.float().sigmoid(), labels)
        else:
            self.acc.update(logits, labels)
            self.f1_macro.update(logits, labels)
        if self.added is not None:
            exact = logits if logits.dtype == torch.float64 else logits.float()  # not in half precision
            probabilities = exact.float().sigmoid() if self.multilabel else exact.softmax(-1)
            # not every metric takes what compute() refuses
            self.added.update(probabilities.nan_to_num(0.0), labels, exact.nan_to_num(0.0))

    def own(self) -> dict[str, float | None]:
        if self.multilabel:
            return multilabel.values(*self.kept.everything())
        return {"f1_macro": float(self.f1_macro.compute()), "acc": float(self.acc.compute())}


def _shown(probabilities: Tensor, several: bool) -> Tensor:
    """Probabilities to six digits; where each label is decided for itself, none is rounded to the other side."""
    millionths = probabilities.double().mul(1e6).round()
    if several:
        above = multilabel.positive(probabilities)
        millionths = millionths.where(~above, millionths.clamp(min=1e6 * multilabel.THRESHOLD + 1))
    return millionths.div(1e6)
