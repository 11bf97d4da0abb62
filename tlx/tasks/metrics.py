"""Metrics that a user adds to a task: ``task.metrics: {fbeta: {beta: 2}}``, each a component."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric as TorchMetric

from tlx.columns import Column
from tlx.components.registry import component
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.runs.metric import Metric


@dataclass
class AddedMetric:
    """A metric of a user's choice.

    Args:
        metric: Of torchmetrics, or written as one: ``update(prediction, target)``, ``compute()``, ``reset()``. It is
            given probabilities [examples, classes] and classes [examples], or 0, 1 and -1 for unknown of several
            labels, or numbers in their own units [examples, numbers].
        info: Its name, which has to be the kind that it is registered under, and its direction.
        of_logits: Is it given logits in place of probabilities, by a task that has some? What goes by ranks needs them,
            as many that differ are probabilities of exactly 0.
    """

    metric: TorchMetric
    info: Metric
    of_logits: bool = False


def added(options: Any, targets: Sequence[Column]) -> dict[str, AddedMetric]:
    """Make the metrics that the options name.

    Args:
        options: A part for each metric that there is, None for those that are not wanted.
        targets: The columns that are predicted.

    Raises:
        ConfigError: One is not for such targets.
    """
    names = [one.name for one in fields(options)] if options is not None else []
    wanted = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return {name: component("metric", name).function()(one, targets) for name, one in wanted.items()}


def primary(asked: str | None, usual: str, known: Mapping[str, Metric]) -> str:
    """The metric that models are chosen by; raises :class:`ConfigError` for one that the task has not."""
    if asked is not None and asked not in known:
        hint = suggest(asked, known) or f"; expected one of {', '.join(known)}"
        message = f"not a metric of this task{hint}"
        raise ConfigError([ConfigIssue("task.primary_metric", message, asked)])
    return asked or usual


class Added(nn.Module):
    """The metrics of a user, beside those of a task."""

    def __init__(self, metrics: Mapping[str, AddedMetric], dtype: torch.dtype = torch.float32) -> None:
        """``dtype``: in which they sum."""
        super().__init__()
        self._of_logits = {name for name, one in metrics.items() if one.of_logits}
        self.metrics = nn.ModuleDict({name: one.metric.clone().set_dtype(dtype) for name, one in metrics.items()})

    def update(self, prediction: Tensor, target: Tensor, logits: Tensor | None = None) -> None:
        """Take in a batch; ``logits``: what the predictions were made of, where a task has them."""
        for name, metric in self.metrics.items():
            of_logits = logits is not None and name in self._of_logits
            metric.update(logits if of_logits else prediction, target)  # type: ignore[operator]

    def reset(self) -> None:
        """Forget what was taken in."""
        for metric in self.metrics.values():
            metric.reset()  # type: ignore[operator]

    def compute(self) -> dict[str, float | None]:
        """Values since the last call, None where one is not finite; begins anew, as a task's metrics do."""
        found: dict[str, float | None] = {}
        for name, metric in self.metrics.items():
            value = float(torch.as_tensor(metric.compute()))  # type: ignore[operator]
            found[name] = value if math.isfinite(value) else None
        self.reset()
        return found
