"""A loss for ``task=classification`` that knows of an order: how far probability is carried to the true class."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from progression.parts import Transport
from tlx.columns import Column, Label
from tlx.config.errors import ConfigError, ConfigIssue


def load(options: Transport, targets: Sequence[Column]) -> Any:
    """The loss of each example, of outputs [examples, classes] and classes [examples]."""
    if not (len(targets) == 1 and isinstance(targets[0], Label)):
        there = ", ".join(f"{column.name!r} ({column.kind})" for column in targets)
        raise ConfigError([ConfigIssue("task.loss.transport", f"is of one class per example; predicted are {there}")])

    def transport(outputs: Tensor, target: Tensor) -> Tensor:
        found = outputs.float().softmax(-1).cumsum(-1)
        true = F.one_hot(target, outputs.shape[-1]).cumsum(-1)
        return (found - true).abs().pow(options.power).sum(-1)

    return transport
