"""What every task can do. Nothing here assumes a batch is ``(x, y)``, so detection, seq2seq and CTC fit too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from tlx.backbones.backbone import Loaded
from tlx.data.examples import Sample
from tlx.data.source import DataInfo
from tlx.runs.metric import Metric

Batch = dict[str, Any]


@dataclass
class StepOutput:
    """What one step gives: the mean loss over ``n`` examples (None where there is none), and what it came from."""

    loss: Tensor | None
    n: int
    parts: dict[str, Tensor] = field(default_factory=dict)


class Task(Protocol):
    """A task joins a backbone with a head and knows its loss, metrics and predictions."""

    primary_metric: str  # what models are chosen and compared by
    metric_info: Mapping[str, Metric]  # every name compute() gives

    def build(self, backbone: Loaded, info: DataInfo) -> nn.Module:
        """The model: a module with ``backbone`` and ``head``."""

    def collate(self, samples: list[Sample]) -> Batch:
        """Samples to one batch of tensors; ``index`` says which examples they are. They may lack their inputs."""

    def fit(self, targets: Tensor) -> None:
        """Learn from the targets of train what the loss needs, such as the weights of classes."""

    def training_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The loss to descend."""

    def eval_step(self, model: nn.Module, batch: Batch, metrics: nn.Module) -> StepOutput:
        """The loss on held-out data; updates ``metrics``."""

    def metrics(self) -> nn.Module:
        """Fresh metrics, to live on the module that trains."""

    def compute(self, metrics: nn.Module) -> dict[str, float | None]:
        """Values since the last reset, undefined ones as ``None``; resets."""

    def predict(self, model: nn.Module, batch: Batch, out: StepOutput | None = None) -> list[dict[str, Any]]:
        """One record per example, plain enough for a JSON line; ``out`` of the same batch saves a second forward."""
