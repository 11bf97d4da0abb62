"""What is measured of a split, whatever the task: the mean loss, metrics of a task's own, and those of a user."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tlx.tasks.finite import Finite
from tlx.tasks.mean_loss import MeanLoss
from tlx.tasks.metrics import Added, AddedMetric


class TaskMetrics(nn.Module, ABC):
    """Counts batches where the network is: but for some metrics of a user, a device is waited for at the end alone."""

    def __init__(self, added: Mapping[str, AddedMetric] | None = None, dtype: torch.dtype = torch.float32) -> None:
        """``added``: metrics of a user, which sum in ``dtype``."""
        super().__init__()
        self.finite, self.loss = Finite(), MeanLoss()
        self.added = Added(added, dtype) if added else None

    def count(self, outputs: Tensor, loss: Tensor, weight: float | Tensor) -> None:
        """Take in the mean loss of a batch, its weight, and whether outputs [examples, ...] are numbers."""
        self.finite.update(outputs)
        self.loss.update(loss, weight)

    @abstractmethod
    def own(self) -> dict[str, float | None]:
        """The task's own metrics by name; what is undefined is None."""

    def compute(self) -> dict[str, float | None]:
        """Values by name, and begin anew; what is undefined, such as the loss where nothing is known, is None.

        Raises:
            FloatingPointError: An output was not finite.
        """
        try:
            self.finite.require()
            loss = float(self.loss.compute())
            added = self.added.compute() if self.added is not None else {}
            return {"loss": loss if math.isfinite(loss) else None, **self.own(), **added}
        finally:
            for metric in self.children():
                metric.reset()  # type: ignore[operator]
