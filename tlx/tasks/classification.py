"""Classification of images or texts, with one label per example or several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric as TorchMetric
from torchmetrics.aggregation import MeanMetric
from torchmetrics.classification.accuracy import MulticlassAccuracy
from torchmetrics.classification.auroc import MultilabelAUROC
from torchmetrics.classification.average_precision import MultilabelAveragePrecision
from torchmetrics.classification.f_beta import MulticlassF1Score, MultilabelF1Score

from tlx.backbones.backbone import Loaded
from tlx.backbones.input_spec import TextSpec
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.task import AutoTask, Classification
from tlx.data.examples import Sample
from tlx.data.source import DataInfo
from tlx.runs.metric import Metric
from tlx.tasks import losses
from tlx.tasks.protocol import Batch, StepOutput

_NOT_INPUT = ("index", "y")
_LOSS = Metric("loss", "loss", "min")
_F1 = Metric("f1_macro", "macro F1", "max", percent=True)
_ONE_LABEL = (_LOSS, _F1, Metric("acc", "accuracy", "max", percent=True))
_SEVERAL = (
    *(_LOSS, _F1),
    Metric("auroc_macro", "macro AUROC", "max", percent=True),
    Metric("ap_macro", "macro average precision", "max", percent=True),
    Metric("undefined_labels", "labels without AUROC", "min"),
)


class Classifier(nn.Module):
    """A backbone and a linear head on its features."""

    def __init__(self, backbone: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(width, classes)

    def features(self, batch: Batch) -> Tensor:
        """Features [batch, width]."""
        features: Tensor = self.backbone(**{name: value for name, value in batch.items() if name not in _NOT_INPUT})
        return features

    def forward(self, batch: Batch) -> Tensor:
        """Logits [batch, classes]."""
        logits: Tensor = self.head(self.features(batch))
        return logits


def _channels_last(network: nn.Module) -> None:
    """Lay weights out as batches are, unless they are so already: heads side by side share a network."""
    images = (parameter for parameter in network.parameters() if parameter.ndim == 4)
    if not all(one.is_contiguous(memory_format=torch.channels_last) for one in images):
        network.to(memory_format=torch.channels_last)


def load(options: Classification, info: DataInfo) -> ClassificationTask:
    """Make the task."""
    return ClassificationTask(options, info)


def of_the_data(options: AutoTask, info: DataInfo) -> ClassificationTask:
    """Make the task with as many labels per example as the data have."""
    return ClassificationTask(Classification(multilabel=info.multilabel, loss=options.loss), info)


class ClassificationTask:
    """Cross entropy over classes, or per label; accuracy and F1, or F1, AUROC and average precision."""

    def __init__(self, options: Classification, info: DataInfo, pad_id: int = 0) -> None:
        if info.multilabel != options.multilabel:
            message = "the data have several labels per example" if info.multilabel else "the data have one label each"
            raise ConfigError([ConfigIssue("task.multilabel", message, options.multilabel)])
        losses.check(options.loss, info.classes)
        self.options = options
        self.info = info
        self.pad_id = pad_id
        self._criterion: losses.Criterion | None = None
        self.primary_metric = "f1_macro" if info.multilabel else "acc"
        known = _SEVERAL if info.multilabel else _ONE_LABEL
        self.metric_info: Mapping[str, Metric] = {metric.name: metric for metric in known}

    @property
    def smoothing(self) -> float:
        """The share of each target that is spread over all classes while training."""
        return self.options.loss.label_smoothing

    def build(self, backbone: Loaded, info: DataInfo) -> nn.Module:
        """A :class:`Classifier` with one output per class."""
        if isinstance(backbone.spec, TextSpec):
            self.pad_id = backbone.spec.pad_id
        if info.modality == "image":
            _channels_last(backbone.module)
        return Classifier(backbone.module, backbone.width, len(info.classes))

    def collate(self, samples: list[Sample]) -> Batch:
        """Images are stacked; token ids are padded to the longest and get a mask; samples may have neither."""
        batch: Batch = {
            "index": torch.tensor([sample["index"] for sample in samples]),
            "y": torch.stack([sample["y"] for sample in samples]),
        }
        if "x" in samples[0]:
            images = torch.stack([sample["x"] for sample in samples])
            return batch | {"x": images.contiguous(memory_format=torch.channels_last)}  # a third faster for conv nets
        if "input_ids" not in samples[0]:
            return batch
        ids = [torch.tensor(sample["input_ids"]) for sample in samples]
        padded = nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=self.pad_id)
        lengths = torch.tensor([len(one) for one in ids])
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).long()
        return batch | {"input_ids": padded, "attention_mask": mask}

    def fit(self, targets: Tensor) -> None:
        """Make the loss, whose class weights are of train."""
        self._criterion = losses.criterion(self.options.loss, self.info.classes, targets)

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The loss that is asked for."""
        if self._criterion is None:
            raise RuntimeError("the task has not seen the labels of train: fit it first")
        return StepOutput(self._criterion(model(batch), batch["y"]), len(batch["y"]))

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The plain loss; logits go to the metrics."""
        logits = model(batch)
        loss = self._plain(logits, batch["y"])
        assert isinstance(metrics, ClassificationMetrics)
        metrics.update(logits, batch["y"], loss)
        return StepOutput(loss, len(batch["y"]), {"logits": logits})

    def metrics(self) -> nn.Module:
        """Metrics for this many classes."""
        return ClassificationMetrics(len(self.info.classes), self.info.multilabel)

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Loss and metrics since the last call."""
        assert isinstance(metrics, ClassificationMetrics)
        return metrics.compute()

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """Index, true label, prediction and probabilities of each example, classes by name."""
        logits = (out.parts["logits"] if out else model(batch)).float()
        probabilities = logits.sigmoid() if self.info.multilabel else logits.softmax(-1)
        names = self.info.classes
        records = []
        highest, shown = probabilities.argmax(-1).tolist(), probabilities.double().mul(1e6).round().div(1e6).tolist()
        for index, label, best, row in zip(batch["index"].tolist(), batch["y"].tolist(), highest, shown, strict=True):
            record: dict[str, Any] = {"index": index}
            if self.info.multilabel:
                record["label"] = [name for name, there in zip(names, label, strict=True) if there]
                record["prediction"] = [name for name, p in zip(names, row, strict=True) if p >= 0.5]
            else:
                record["label"] = names[label]
                record["prediction"] = names[best]
            record["probabilities"] = row
            records.append(record)
        return records

    def _plain(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.info.multilabel:
            return F.binary_cross_entropy_with_logits(logits, labels)
        return F.cross_entropy(logits, labels)


class ClassificationMetrics(nn.Module):
    """torchmetrics, with undefined values said to be undefined instead of 0."""

    def __init__(self, classes: int, multilabel: bool) -> None:
        super().__init__()
        self.multilabel = multilabel
        self.loss = MeanMetric()
        if multilabel:
            self.f1_macro: TorchMetric = MultilabelF1Score(classes, average="macro")
            self.auroc = MultilabelAUROC(classes, average="none")
            self.ap = MultilabelAveragePrecision(classes, average="none")
        else:
            self.acc = MulticlassAccuracy(classes, average="micro")
            self.f1_macro = MulticlassF1Score(classes, average="macro")

    def update(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Take in a batch; raises :class:`FloatingPointError` for logits that are not finite."""
        if not torch.isfinite(logits).all():
            raise FloatingPointError("the network gave NaN or infinity: try a smaller strategy.lr or precision=32-true")
        self.loss.update(loss, len(labels))
        if self.multilabel:
            whole, scores = labels.int(), logits.sigmoid()
            self.f1_macro.update(scores, whole)
            self.auroc.update(scores, whole)
            self.ap.update(scores, whole)
        else:
            self.acc.update(logits, labels)
            self.f1_macro.update(logits, labels)

    def compute(self) -> dict[str, float | None]:
        """Values by name; a label without positives has no AUROC or AP, and is left out of their means."""
        values: dict[str, float | None] = {"loss": float(self.loss.compute())}
        values["f1_macro"] = float(self.f1_macro.compute())
        if self.multilabel:
            counts = self._positives()
            defined = [0 < positives < total for positives, total in counts]
            values["auroc_macro"] = _mean_where(self.auroc.compute(), defined)
            values["ap_macro"] = _mean_where(self.ap.compute(), [positives > 0 for positives, _ in counts])
            values["undefined_labels"] = float(sum(not good for good in defined))
        else:
            values["acc"] = float(self.acc.compute())
        for metric in self.children():
            metric.reset()  # type: ignore[operator]
        return values

    def _positives(self) -> list[tuple[int, int]]:
        """(positives, examples) per label, over all processes."""
        with self.auroc.sync_context():
            target = self.auroc.target
            stacked = torch.cat(target) if isinstance(target, list) else target
        return [(int(column.sum()), len(column)) for column in stacked.T]


def _mean_where(values: Tensor, good: list[bool]) -> float | None:
    kept = [float(value) for value, fine in zip(values, good, strict=True) if fine and math.isfinite(float(value))]
    return sum(kept) / len(kept) if kept else None
