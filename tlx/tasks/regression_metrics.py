"""How well numbers are predicted: of all examples at once, in 64 bits, in the numbers' own units."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tlx._compat.devices import onto
from tlx.tasks.kept import Kept
from tlx.tasks.metrics import AddedMetric
from tlx.tasks.task_metrics import TaskMetrics


class RegressionMetrics(TaskMetrics):
    """MAE, RMSE, R² and Spearman's correlation, means over the numbers; what is undefined is None."""

    def __init__(self, mean: Tensor, deviation: Tensor, added: Mapping[str, AddedMetric] | None = None) -> None:
        """``mean`` and ``deviation``: of each number in train."""
        super().__init__(added, torch.float64)
        self._mean, self._deviation = mean, deviation
        self.kept = Kept(len(deviation))

    def update(self, outputs: Tensor, target: Tensor, loss: Tensor, weight: float | Tensor) -> None:
        """Take in a batch."""
        self.count(outputs, loss, weight)
        self.kept.update(outputs, target)
        if self.added is not None:
            device = outputs.device if outputs.device.type != "mps" else torch.device("cpu")  # which has no 64 bits
            mean, deviation = onto(self._mean, device), onto(self._deviation, device)
            known = outputs.nan_to_num(0.0, 0.0, 0.0)  # not every metric takes what compute() refuses
            own = (one.to(device).double() * deviation + mean for one in (known, target))
            self.added.update(*(one if len(deviation) > 1 else one[:, 0] for one in own))

    def own(self) -> dict[str, float | None]:
        """MAE and RMSE are in the numbers' own units."""
        outputs, target = (tensor.cpu().double() for tensor in self.kept.everything())
        return measured(outputs, target, self._deviation)


def measured(outputs: Tensor, target: Tensor, deviation: Tensor) -> dict[str, float | None]:
    """The metrics of outputs and targets [examples, numbers], which are in deviations [numbers] of train."""
    if not len(target):
        return dict.fromkeys(("mae", "rmse", "r2", "spearman"))
    error = outputs - target
    varies = (target != target[:1]).any(0)
    spread = ((target - target.mean(0)) ** 2).sum(0)
    r2 = torch.where(varies, 1 - (error**2).sum(0) / spread, math.nan)
    return {
        "mae": _finite(error.abs().mean(0) * deviation),
        "rmse": _finite((error**2).mean(0).sqrt() * deviation),
        "r2": _finite(r2),
        "spearman": _finite(torch.stack([_spearman(*pair) for pair in zip(outputs.T, target.T, strict=True)])),
    }


def _spearman(values: Tensor, truth: Tensor) -> Tensor:
    """Pearson's correlation of the ranks [examples], of which equal values have the mean; NaN where one is constant."""
    ranks = torch.stack([_ranks(values), _ranks(truth)])
    if not (ranks != ranks[:, :1]).any(1).all():
        return torch.tensor(math.nan)
    found: Tensor = torch.corrcoef(ranks)
    return found[0, 1]


def _ranks(values: Tensor) -> Tensor:
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = last - (counts - 1) / 2
    return ranks[place]


def _finite(values: Tensor) -> float | None:
    """The mean of what is defined of each number; None where one of them is not."""
    found = float(values.double().mean())
    return found if math.isfinite(found) else None
