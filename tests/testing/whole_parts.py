"""A model that owns its loss, and the task that gives it metrics, as a stranger would write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.testing.parts import Means, Ordering, OrderingTask
from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Label
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ValueSpec
from tlx.columns.schema import Schema
from tlx.config import backbone, task
from tlx.config.fields import option
from tlx.tasks.protocol import StepOutput
from tlx.tasks.whole import WholeNetwork


@dataclass
class Prototypes(backbone.Backbone):
    """A network that owns its loss: distances from a prototype of each class."""

    kind: str = "prototypes"
    modality: str = "table"
    name: str = option("prototypes", "what runs are called by")
    weights: str = option("none", "it has none of its own")


class PrototypeNet(nn.Module):
    """Examples near the prototype of their class, far from the others."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        super().__init__()
        self.names = list(columns)
        self.stem = nn.Linear(len(columns), 8)
        self.body = nn.Linear(8, 8)
        self.target = ""
        self.classes: tuple[str, ...] = ()

    def set_outputs(self, schema: Schema) -> list[str]:
        """A prototype for each class."""
        column = schema.target((Label, Label))
        self.target, self.classes = column.name, column.classes
        self.prototypes = nn.Parameter(torch.randn(len(column.classes), 8))
        return ["prototypes"]

    def distances(self, batch: Batch) -> Tensor:
        """[examples, classes]."""
        x = torch.stack([batch.inputs[name] for name in self.names], dim=1)
        return torch.cdist(torch.relu(self.body(torch.relu(self.stem(x)))), self.prototypes)

    def loss(self, batch: Batch) -> tuple[Tensor, float]:
        """Cross entropy of nearness."""
        return F.cross_entropy(-self.distances(batch), batch.targets[self.target]), len(batch)

    def predict(self, batch: Batch, **options: Any) -> list[dict[str, Any]]:
        """The nearest."""
        nearest = self.distances(batch).argmin(1).tolist()
        return [
            {"index": i, "prediction": self.classes[one]} for i, one in zip(batch.index.tolist(), nearest, strict=True)
        ]

    def stages(self) -> dict[str, list[str]]:
        """Two."""
        return {"stem": ["stem.weight", "stem.bias"], "body": ["body.weight", "body.bias"]}

    def example(self, count: int) -> Batch:
        """Points, and a class for each."""
        inputs = {name: torch.zeros(count) for name in self.names}
        return Batch(torch.arange(count), inputs, {self.target: torch.zeros(count, dtype=torch.long)})


def prototypes(options: Prototypes, *, columns: Mapping[str, Column], pretrained: bool, read: Any) -> Backbone:
    """The network, with random weights."""
    return Backbone(PrototypeNet(columns), 0, dict.fromkeys(columns, ValueSpec("number")))


@dataclass
class Nearest(task.Task):
    """Metrics of a model that owns its loss."""

    kind: str = "nearest"


class NearestTask(OrderingTask):
    """The model's own loss, and how often its prediction is right."""

    form: Any = "whole"

    def build(self, backbone: Backbone, schema: Schema) -> nn.Module:
        """The model as it is."""
        return WholeNetwork(backbone, schema)

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """What the model says."""
        assert isinstance(model, WholeNetwork)
        return StepOutput(*model.loss(batch))

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The same, and hits."""
        assert isinstance(model, WholeNetwork)
        assert isinstance(metrics, Means)
        loss, weight = model.loss(batch)
        metrics.loss.update(loss, weight)
        truth = [self.column.classes[one] for one in batch.targets[self.column.name].tolist()]
        right = [float(one["prediction"] == true) for one, true in zip(model.predict(batch), truth, strict=True)]
        metrics.hits.update(torch.tensor(right))
        return StepOutput(loss, weight)

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """What the model says."""
        assert isinstance(model, WholeNetwork)
        return model.predict(batch)


def nearest(options: Nearest, schema: Schema) -> NearestTask:
    """Make the task."""
    return NearestTask(Ordering(), schema)
