"""A metric for tasks whose classes have an order: nearly right counts."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric as TorchMetric

from progression.parts import WithinOne
from tlx.columns import Column, Label
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.runs.metric import Metric
from tlx.tasks.metrics import AddedMetric


class Within(TorchMetric):
    """The share of examples whose likeliest class is near enough."""

    hits: Tensor
    count: Tensor

    def __init__(self, far: int) -> None:
        super().__init__()
        self.far = far
        self.add_state("hits", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Take in probabilities [examples, classes] and classes [examples]."""
        self.hits += ((prediction.argmax(-1) - target).abs() <= self.far).sum()
        self.count += len(target)

    def compute(self) -> Tensor:
        """The share."""
        return self.hits / self.count


def load(options: WithinOne, targets: Sequence[Column]) -> AddedMetric:
    """Make the metric."""
    if not (len(targets) == 1 and isinstance(targets[0], Label)):
        there = ", ".join(f"{column.name!r} ({column.kind})" for column in targets)
        raise ConfigError(
            [ConfigIssue("task.metrics.within_one", f"is of one class per example; predicted are {there}")]
        )
    return AddedMetric(Within(options.far), Metric("within_one", f"at most {options.far} away", "max", percent=True))
