"""What a classification minimises: the mean over examples of a loss, each weighed by its class where that is asked for.

The mean is over examples and not over weights, so that any cut of a batch into parts gives the same gradients. Weights
from ``class_weight`` have a mean of 1 over train: the size of the loss, and so the rate that fits it, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from tlx._compat.devices import onto
from tlx.columns import Column
from tlx.components.registry import component, of_group
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.task import Loss


class Each(Protocol):
    """A loss of somebody's own."""

    def __call__(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of each example [n], or of each of its labels or numbers [n, k], where a target is never NaN.

        Args:
            outputs: Of the network [n, k].
            target: Classes [n], or 0 and 1 [n, k], or numbers in deviations of train [n, k].
        """


class Criterion(Protocol):
    """A loss of classes."""

    def __call__(self, logits: Tensor, target: Tensor, counts: Tensor | None = None) -> Tensor:
        """The mean over examples.

        Args:
            logits: [n, classes].
            target: Classes [n], or 0, 1 and NaN for unknown [n, classes].
            counts: How much each example counts [n]; of several labels each known one counts so. None: all alike, and
                nothing is unknown.
        """


def own(options: Any, targets: Sequence[Column]) -> Each | None:
    """A loss of somebody's own, where the options name one.

    Args:
        options: Of a task's loss.
        targets: The columns that are predicted.

    Raises:
        ConfigError: They name several, or say more of a loss that is not taken.
    """
    wanted = [kind for kind in of_group("loss") if getattr(options, kind, None) is not None]
    if len(wanted) > 1:
        raise ConfigError([ConfigIssue("task.loss", "names several losses; leave one", ", ".join(wanted))])
    if not wanted:
        return None
    usual, message = type(options)(), f"nothing reads it beside task.loss.{wanted[0]}; leave it out"
    unread = {name: value for name, value in vars(options).items() if name not in wanted and value != vars(usual)[name]}
    if unread:
        raise ConfigError([ConfigIssue(f"task.loss.{name}", message, value) for name, value in unread.items()])
    found: Each = component("loss", wanted[0]).function()(getattr(options, wanted[0]), targets)
    return found


def check(options: Loss, classes: Sequence[str]) -> None:
    """Raise :class:`ConfigError` for weights of classes that are not there, and for settings that nothing reads."""
    problems = [
        ConfigIssue(f"task.loss.weights.{name}", f"not a class{suggest(name, classes)}", weight)
        for name, weight in options.weights.items()
        if name not in classes
    ]
    if options.kind != "cross_entropy" and options.label_smoothing:
        message = f"{options.kind} has none; use cross_entropy, or leave it at 0"
        problems.append(ConfigIssue("task.loss.label_smoothing", message, options.label_smoothing))
    if options.kind != "focal" and options.gamma != Loss.gamma:
        problems.append(ConfigIssue("task.loss.gamma", f"{options.kind} has none; use focal", options.gamma))
    if options.class_weight != "effective" and options.beta != Loss.beta:
        message = f"is of class_weight=effective, and that is {options.class_weight}: nothing would read it"
        problems.append(ConfigIssue("task.loss.beta", message, options.beta))
    if problems:
        raise ConfigError(problems)


def criterion(options: Loss, classes: Sequence[str], labels: Tensor, own: Each | None = None) -> Criterion:
    """Make the loss.

    Args:
        options: Of it.
        classes: By name.
        labels: Of train: classes [n], or 0/1 floats [n, classes].
        own: One that somebody brings, which takes the place of the options.

    Raises:
        ConfigError: Labels are unknown, and somebody's own loss is not of each label.
    """
    several = labels.ndim == 2
    if own is not None:
        if several and labels.isnan().any() and own(*torch.zeros(2, 1, labels.shape[1])).ndim < 2:
            message = "gives one number for an example; as labels are unknown, it has to give one for each label [n, k]"
            raise ConfigError([ConfigIssue("task.loss", message)])
        return partial(_own, own, several)
    weights = _weights(options, classes, labels)
    gamma = options.gamma if options.kind == "focal" else 0.0
    single = _binary if several else _of_classes

    def loss(logits: Tensor, target: Tensor, counts: Tensor | None = None) -> Tensor:
        if counts is None:
            if gamma == 0 and several:  # torch's own, in one kernel
                smooth, positive = _smooth(target, options.label_smoothing), _like(weights, logits)
                return F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=positive)
            if gamma == 0 and weights is None:
                return F.cross_entropy(logits, target, label_smoothing=options.label_smoothing)
            return single(logits, target, options.label_smoothing, gamma, weights).mean()
        known = ~target.isnan() if several else None
        found = single(
            logits, target if known is None else target.nan_to_num(0.0), options.label_smoothing, gamma, weights
        )
        return mean(found, counts, known)

    return loss


def _own(each: Each, several: bool, logits: Tensor, target: Tensor, counts: Tensor | None = None) -> Tensor:
    known = ~target.isnan() if several else None
    found = each(logits, target if known is None else target.nan_to_num(0.0))
    if found.ndim == 1:  # of examples, whose labels are all known: else it is refused when it is made
        known = None
    if counts is None and known is None:
        return found.mean()
    return mean(found, torch.ones(len(target), device=logits.device) if counts is None else counts, known)


def mean(losses: Tensor, counts: Tensor, known: Tensor | None = None) -> Tensor:
    """The mean of losses [n], or [n, labels] of which some are known, each example counting so much [n].

    Where nothing counts it is 0.
    """
    share = counts.to(losses) if known is None else counts.to(losses)[:, None] * known
    return (losses * share).sum() / share.sum().clamp(min=torch.finfo(losses.dtype).tiny)


def _weights(options: Loss, classes: Sequence[str], labels: Tensor) -> Tensor | None:
    """Of each class; of several labels, of the positives of each label. None where all are 1."""
    if options.class_weight == "none" and not options.weights:
        return None
    found = torch.ones(len(classes))
    if options.class_weight != "none" and labels.ndim == 2:
        positives, known = labels.nansum(0), (~labels.isnan()).sum(0)
        both = (positives > 0) & (positives < known)  # else there is nothing to even out, and the label weighs 1
        if options.class_weight == "auto":
            found = torch.where(both, (known - positives) / positives.clamp(min=1), found)
        else:
            others = _effective(known - positives, options.beta) / _effective(positives.clamp(min=1), options.beta)
            found = torch.where(both, others.float(), found)
    elif options.class_weight == "auto":
        counts = torch.bincount(labels, minlength=len(classes))
        found = len(labels) / (len(classes) * counts.clamp(min=1).float())
    elif options.class_weight == "effective":
        counts = torch.bincount(labels, minlength=len(classes))
        weights = 1 / _effective(counts.clamp(min=1), options.beta)
        found = (len(labels) * weights / (weights * counts).sum()).float()
    for name, weight in options.weights.items():
        found[list(classes).index(name)] = weight
    return found


def _effective(counts: Tensor, beta: float) -> Tensor:
    """The effective number of examples: each adds ``beta`` times what the one before it did."""
    return (1 - beta ** counts.double()) / (1 - beta)


def _of_classes(logits: Tensor, target: Tensor, smoothing: float, gamma: float, weights: Tensor | None) -> Tensor:
    """The loss of each example [n]."""
    losses = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
    if gamma:
        losses = losses * _focus(1 - F.softmax(logits, -1).gather(1, target[:, None])[:, 0], gamma)
    if weights is not None:
        losses = losses * onto(weights, logits.device, logits.dtype)[target]
    return losses


def _binary(logits: Tensor, target: Tensor, smoothing: float, gamma: float, weights: Tensor | None) -> Tensor:
    """The loss of each label of each example [n, labels]."""
    smooth, positive = _smooth(target, smoothing), _like(weights, logits)
    losses = F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=positive, reduction="none")
    if gamma:
        chance = logits.sigmoid()
        losses = losses * _focus(target * (1 - chance) + (1 - target) * chance, gamma)
    return losses


def _focus(wrong: Tensor, gamma: float) -> Tensor:
    """How much an example counts by the chance of what is wrong; a root has no derivative at 0, and a clamped one 0."""
    return wrong.clamp(min=torch.finfo(wrong.dtype).tiny) ** gamma


def _smooth(target: Tensor, smoothing: float) -> Tensor:
    return target * (1 - smoothing) + smoothing / 2


def _like(weights: Tensor | None, logits: Tensor) -> Tensor | None:
    return onto(weights, logits.device, logits.dtype) if weights is not None else None
