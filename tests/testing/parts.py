"""Parts written as a stranger would, outside of tlx: a data set, backbones, a task, a loss, a metric, a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics import Metric as TorchMetric

from tlx.backbones.backbone import Backbone
from tlx.backbones.tabular import Tabular
from tlx.columns import Column, Label, Number
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ValueSpec
from tlx.columns.schema import Schema
from tlx.config import backbone, dataset, task
from tlx.config.fields import option
from tlx.data.source import Source
from tlx.runs.metric import Metric
from tlx.tasks.metrics import AddedMetric
from tlx.tasks.network import Network
from tlx.tasks.protocol import StepOutput


@dataclass
class Moons(dataset.Dataset):
    """Two half circles, and how far along them a point is."""

    kind: str = "moons"
    modality: str = "table"
    name: str = option("moons", "what runs are called by")
    count: int = option(120, "points", above=0)
    noise: float = option(0.1, "of their places", least=0)
    angle: bool = option(False, "predict how far along a point is, instead of which moon it is of")


@dataclass
class BrokenMoons(Moons):
    """Of a data set that breaks the contract."""

    kind: str = "broken"


def moons(options: Moons) -> Source:
    """Points, which moon they are of, and weights."""
    rng = np.random.default_rng(0)
    angle, moon = rng.uniform(0, np.pi, options.count), rng.integers(2, size=options.count)
    x = np.where(moon, 1 - np.cos(angle), np.cos(angle)) + rng.normal(0, options.noise, options.count)
    y = np.where(moon, 0.5 - np.sin(angle), np.sin(angle)) + rng.normal(0, options.noise, options.count)
    target: Column = Number("angle", role="target") if options.angle else Label("moon")
    values = angle if options.angle else ["right" if one else "left" for one in moon]
    return Source([Number("x"), Number("y"), target], {"x": x, "y": y, target.name: values}, splits={})


def moons_fingerprint(options: Moons) -> str:
    """All that the points depend on."""
    return f"moons-{options.count}-{options.noise}-{options.angle}"


def drawn_anew(options: Moons) -> Source:
    """Breaks the contract: other points each time."""
    source = moons(options)
    return Source(source.columns, {**source.rows, "x": np.random.default_rng().normal(size=options.count)}, splits={})


def twice(options: Moons) -> Source:
    """Breaks the contract: an example trains and tests."""
    source = moons(options)
    every = np.arange(options.count)
    return Source(source.columns, source.rows, splits={"train": every, "val": every[:20], "test": every[10:30]})


@dataclass
class Fourier(backbone.Backbone):
    """Random Fourier features of numbers, then layers."""

    kind: str = "fourier"
    modality: str = "table"
    name: str = option("fourier", "what runs are called by")
    weights: str = option("none", "it has none of its own")
    width: int = option(16, "features", above=0)


@dataclass
class BrokenFourier(Fourier):
    """Of a backbone that breaks the contract."""

    kind: str = "broken"


class FourierNet(nn.Module):
    """Columns to features."""

    def __init__(self, columns: Mapping[str, Column], width: int) -> None:
        super().__init__()
        self.columns = Tabular(columns)
        self.stem = nn.Linear(self.columns.width, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])

    def forward(self, **columns: Tensor) -> Tensor:
        """[batch] of each column to [batch, width]."""
        x = torch.sin(self.stem(self.columns(**columns)))
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        return x


def fourier(options: Fourier, *, columns: Mapping[str, Column], pretrained: bool, read: Any) -> Backbone:
    """The network, with random weights."""
    numbers = {name: column for name, column in columns.items() if isinstance(column, Number)}
    return Backbone(FourierNet(numbers, options.width), options.width, dict.fromkeys(numbers, ValueSpec("number")))


def batchwise(options: Fourier, *, columns: Mapping[str, Column], pretrained: bool, read: Any) -> Backbone:
    """Breaks the contract: an example's features depend on the others."""

    class Centred(FourierNet):
        def forward(self, **columns: Tensor) -> Tensor:
            x = super().forward(**columns)
            return x - x.mean(0)

    made = fourier(options, columns=columns, pretrained=pretrained, read=read)
    made.module = Centred({name: columns[name] for name in made.takes}, options.width)
    return made


def too_wide(options: Fourier, *, columns: Mapping[str, Column], pretrained: bool, read: Any) -> Backbone:
    """Breaks the contract: it is not as wide as it says."""
    made = fourier(options, columns=columns, pretrained=pretrained, read=read)
    made.width += 1
    return made


@dataclass
class Ordering(task.Task):
    """Which of two orders: a margin instead of a probability."""

    kind: str = "ordering"
    margin: float = option(1.0, "hinge: how far from the border is far enough", above=0)


@dataclass
class BrokenOrdering(Ordering):
    """Of a task that breaks the contract."""

    kind: str = "broken"


class Means(nn.Module):
    """Two means."""

    def __init__(self) -> None:
        super().__init__()
        self.loss, self.hits = MeanMetric(), MeanMetric()


class OrderingTask:
    """One output whose sign says which of two classes."""

    form: Any = "vector"
    primary_metric = "hits"

    def __init__(self, options: Ordering, schema: Schema) -> None:
        self.options = options
        self.column = schema.target((Label, Label))
        self.metric_info = {"loss": Metric("loss", "loss", "min"), "hits": Metric("hits", "hits", "max", percent=True)}

    def build(self, backbone: Backbone, schema: Schema) -> nn.Module:
        """One output."""
        return Network(backbone, schema, 1)

    def fit(self, targets: Mapping[str, Tensor]) -> None:
        """Nothing."""

    def weights(self, targets: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Tensor | None:
        """All the same."""
        return None

    def _loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        signs = batch.targets[self.column.name] * 2.0 - 1
        return F.relu(self.options.margin - signs * outputs[:, 0]).mean()

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The hinge loss."""
        return StepOutput(self._loss(model(batch.inputs), batch), len(batch))

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The hinge loss, and hits."""
        outputs = model(batch.inputs)
        loss = self._loss(outputs, batch)
        assert isinstance(metrics, Means)
        metrics.loss.update(loss, len(batch))
        metrics.hits.update(((outputs[:, 0] > 0) == batch.targets[self.column.name].bool()).float())
        return StepOutput(loss, len(batch), {"outputs": outputs})

    def metrics(self) -> nn.Module:
        """Two means."""
        return Means()

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Their values."""
        assert isinstance(metrics, Means)
        both = {"loss": metrics.loss, "hits": metrics.hits}
        found: dict[str, float | None] = {name: float(one.compute()) for name, one in both.items()}
        for one in both.values():
            one.reset()
        return found

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """The class on the side of the border."""
        outputs = out.parts["outputs"] if out else model(batch.inputs)
        chosen = (outputs[:, 0] > 0).long().tolist()
        return [
            {"index": i, "prediction": self.column.classes[one]}
            for i, one in zip(batch.index.tolist(), chosen, strict=True)
        ]


def ordering(options: Ordering, schema: Schema) -> OrderingTask:
    """Make the task."""
    return OrderingTask(options, schema)


def summed(options: Ordering, schema: Schema) -> OrderingTask:
    """Breaks the contract: its loss is a sum, not a mean."""

    class Summed(OrderingTask):
        def _loss(self, outputs: Tensor, batch: Batch) -> Tensor:
            return super()._loss(outputs, batch) * len(batch)

    return Summed(options, schema)


def forgetful(options: Ordering, schema: Schema) -> OrderingTask:
    """Breaks the contract: it declares a metric that it does not give."""
    made = OrderingTask(options, schema)
    made.metric_info = {**made.metric_info, "misses": Metric("misses", "misses", "min")}
    return made


@dataclass
class Exponential:
    """Exponential of the margin of the right class."""

    sharpness: float = option(1.0, "how steep", above=0)


def exponential(options: Exponential, targets: Sequence[Column]) -> Any:
    """The loss of each example."""

    def each(outputs: Tensor, target: Tensor) -> Tensor:
        right = outputs.gather(1, target[:, None])[:, 0]
        return torch.exp(-options.sharpness * (right - outputs.mean(1)))

    return each


@dataclass
class Confidence:
    """How sure the network is, right or wrong."""


class MeanConfidence(TorchMetric):
    """The mean of the largest probability."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Take in probabilities [examples, classes]."""
        self.total += prediction.max(-1).values.sum()
        self.count += len(prediction)

    def compute(self) -> Tensor:
        """The mean."""
        return self.total / self.count


def confidence(options: Confidence, targets: Sequence[Column]) -> AddedMetric:
    """Make the metric."""
    return AddedMetric(MeanConfidence(), Metric("confidence", "confidence", "min"))
