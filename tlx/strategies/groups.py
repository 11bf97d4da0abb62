"""Static parameter groups: every parameter is in one from the start, so freezing never touches the optimizer.

A group is a stage x {decay, no_decay}. What is frozen has no gradient and so no step; what thaws later finds its
group waiting. Nothing here looks at ``requires_grad``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from tlx.backbones.stages import HEAD, Stage
from tlx.config.amount import Amount
from tlx.strategies.options import Strategy


def parameter_groups(strategy: Strategy, stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Groups for a torch optimizer, each with a ``name`` and its full learning rate as ``base_lr``."""
    groups = []
    for stage in stages:
        lr = strategy.lr if stage.name == HEAD or strategy.backbone_lr is None else strategy.backbone_lr
        for kind, decays in (("decay", True), ("no_decay", False)):
            chosen = [p for p in stage.parameters() if (p.ndim > 1) == decays]
            if chosen:
                decay = strategy.optimizer.weight_decay if decays else 0.0
                group = {
                    "params": chosen,
                    "name": f"{stage.name}/{kind}",
                    "base_lr": lr,
                    "lr": lr,
                    "weight_decay": decay,
                }
                groups.append(group)
    return groups


def optimizer(strategy: Strategy, stages: Sequence[Stage]) -> Optimizer:
    """The strategy's optimizer over all groups."""
    groups = parameter_groups(strategy, stages)
    name, momentum = strategy.optimizer.name, strategy.optimizer.momentum
    fused = strategy.clip is None  # a fused step unscales half-precision gradients itself, so they cannot be clipped
    if name == "adamw":
        return torch.optim.AdamW(groups, fused=fused)
    if name == "adam":
        return torch.optim.Adam(groups, fused=fused)
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0, fused=fused)
    return torch.optim.RMSprop(groups, momentum=momentum)


def factor(strategy: Strategy, step: int, length: int) -> float:
    """The learning rate at ``step`` of ``length``, as a share of the full one: linear warm-up, then the shape.

    The warm-up ends at 1 and no step has rate 0, so every step moves what it trains.
    """
    warm = round(Amount.parse(strategy.schedule.warmup).value / 100 * length)
    if step < warm:
        return (step + 1) / warm
    if strategy.schedule.shape == "constant":
        return 1.0
    progress = (step - warm) / max(1, length - warm)
    return 1 - progress if strategy.schedule.shape == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
