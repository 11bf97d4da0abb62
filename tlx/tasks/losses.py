"""What a classification minimises: the mean over examples of a loss, each weighed by its class where that is asked for.

The mean is over examples and not over weights, so that any cut of a batch into parts gives the same gradients. Weights
from ``class_weight=auto`` have a mean of 1 over train: the size of the loss, and so the rate that fits it, stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.task import Loss

Criterion = Callable[[Tensor, Tensor], Tensor]  # of logits [n, classes] and labels [n], or 0/1 labels [n, classes]


def check(options: Loss, classes: Sequence[str]) -> None:
    """Raise :class:`ConfigError` for weights of classes that are not there, and for smoothing that nothing reads."""
    problems = [
        ConfigIssue(f"task.loss.weights.{name}", f"not a class{suggest(name, classes)}", weight)
        for name, weight in options.weights.items()
        if name not in classes
    ]
    if options.kind != "cross_entropy" and options.label_smoothing:
        message = f"{options.kind} has none; use cross_entropy, or leave it at 0"
        problems.append(ConfigIssue("task.loss.label_smoothing", message, options.label_smoothing))
    if problems:
        raise ConfigError(problems)


def criterion(options: Loss, classes: Sequence[str], labels: Tensor) -> Criterion:
    """Make the loss.

    Args:
        options: Of it.
        classes: By name.
        labels: Of train: classes [n], or 0/1 floats [n, classes].
    """
    several = labels.ndim == 2
    weights = _weights(options, classes, labels)
    gamma = options.gamma if options.kind == "focal" else 0.0
    if several:
        return lambda logits, target: _binary(logits, target, options.label_smoothing, gamma, weights)
    if gamma == 0 and weights is None:  # torch's own, in one kernel
        return lambda logits, target: F.cross_entropy(logits, target, label_smoothing=options.label_smoothing)
    return lambda logits, target: _of_classes(logits, target, options.label_smoothing, gamma, weights)


def _weights(options: Loss, classes: Sequence[str], labels: Tensor) -> Tensor | None:
    """Of each class; of several labels, of the positives of each label. None where all are 1."""
    if options.class_weight == "none" and not options.weights:
        return None
    found = torch.ones(len(classes))
    if options.class_weight == "auto" and labels.ndim == 2:
        positives = labels.sum(0)
        found = torch.where(positives > 0, (len(labels) - positives) / positives.clamp(min=1), found)
    elif options.class_weight == "auto":
        counts = torch.bincount(labels, minlength=len(classes))
        found = len(labels) / (len(classes) * counts.clamp(min=1).float())
    for name, weight in options.weights.items():
        found[list(classes).index(name)] = weight
    return found


def _of_classes(logits: Tensor, target: Tensor, smoothing: float, gamma: float, weights: Tensor | None) -> Tensor:
    losses = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
    if gamma:
        losses = losses * (1 - F.softmax(logits, -1).gather(1, target[:, None])[:, 0]) ** gamma
    if weights is not None:
        losses = losses * weights.to(logits)[target]
    return losses.mean()


def _binary(logits: Tensor, target: Tensor, smoothing: float, gamma: float, weights: Tensor | None) -> Tensor:
    smooth = target * (1 - smoothing) + smoothing / 2
    positive = weights.to(logits) if weights is not None else None
    if gamma == 0:  # torch's own, in one kernel
        return F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=positive)
    losses = F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=positive, reduction="none")
    chance = logits.sigmoid()
    return (losses * (target * (1 - chance) + (1 - target) * chance) ** gamma).mean()
