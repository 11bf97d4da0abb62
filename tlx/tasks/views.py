"""Test-time augmentation: the mean prediction over several views of the same images (Krizhevsky et al. 2012)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.columns.input_spec import ImageSpec, InputSpec
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.tasks.network import specs
from tlx.tasks.protocol import Task, ViewedTask

KEY = "dataset.test_augment"
VIEWS: dict[str, Callable[[Tensor], Tensor]] = {  # of images [..., height, width]
    "horizontal_flip": lambda images: images.flip(-1),
    "vertical_flip": lambda images: images.flip(-2),
    "rotate_90": lambda images: images.rot90(1, (-2, -1)),
    "rotate_180": lambda images: images.rot90(2, (-2, -1)),
    "rotate_270": lambda images: images.rot90(3, (-2, -1)),
    "transpose": lambda images: images.transpose(-2, -1),
    "transverse": lambda images: images.transpose(-2, -1).flip(-2, -1),
}
_TURNING = ("rotate_90", "rotate_270", "transpose", "transverse")  # height and width change places


class MeanOfViews(nn.Module):
    """A network whose outputs stand for the mean prediction over its images as they are and several views of them."""

    def __init__(self, network: nn.Module, task: ViewedTask, views: Sequence[str]) -> None:
        """``task``: it says what outputs stand for a mean prediction."""
        super().__init__()
        self.network = network
        self.views = tuple(views)
        self.images = [column for column, spec in specs(network).items() if isinstance(spec, ImageSpec)]
        self._mean = task.mean_of_views

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        """Outputs [batch, ...]; ``inputs`` by column, all images of an example seen alike."""
        outputs = [self.network(inputs)]
        for view in self.views:
            seen = {column: VIEWS[view](inputs[column]) for column in self.images}
            outputs.append(self.network({**inputs, **seen}))
        return self._mean(torch.stack(outputs))


def averaged(network: nn.Module, task: Task, views: Sequence[str]) -> nn.Module:
    """The network as it predicts: itself, or its mean over views; raises :class:`ConfigError` where there is none."""
    if not views:
        return network
    if problems := list(issues(task, specs(network), views)):
        raise ConfigError(problems)
    assert isinstance(task, ViewedTask)
    return MeanOfViews(network, task, views)


def issues(task: Task, takes: Mapping[str, InputSpec], views: Sequence[str]) -> Iterator[ConfigIssue]:
    """Why there is no mean prediction over views.

    Args:
        task: What is predicted.
        takes: What the network expects of its columns, or of the arguments of its backbone.
        views: That are asked for.
    """
    if not views:
        return
    images = [spec for spec in takes.values() if isinstance(spec, ImageSpec)]
    if not images:
        yield ConfigIssue(KEY, "flips and turns images, and this backbone reads none; leave it out", list(views))
    if not isinstance(task, ViewedTask):
        message = f"{type(task).__name__} does not say what the mean of several predictions is; leave it out"
        yield ConfigIssue(KEY, message, list(views))
    turning = [view for view in views if view in _TURNING]
    for spec in images:
        if turning and spec.height != spec.width:
            message = f"makes {spec.width} x {spec.height} of the {spec.height} x {spec.width} that the backbone reads"
            yield ConfigIssue(KEY, f"{message}; horizontal_flip, vertical_flip and rotate_180 do not", turning[0])
            return


def mean_of_classes(outputs: Tensor) -> Tensor:
    """Logits whose softmax is the mean of the softmax of each view; outputs [views, examples, classes]."""
    return _exact(outputs).log_softmax(-1).logsumexp(0) - math.log(len(outputs))


def mean_of_labels(outputs: Tensor) -> Tensor:
    """Logits whose sigmoid is the mean of the sigmoid of each view; outputs [views, examples, labels]."""
    exact = _exact(outputs)
    return F.logsigmoid(exact).logsumexp(0) - F.logsigmoid(-exact).logsumexp(0)


def mean_of_numbers(outputs: Tensor) -> Tensor:
    """The mean of the numbers of each view; outputs [views, examples, numbers]."""
    return _exact(outputs).mean(0)


def _exact(outputs: Tensor) -> Tensor:
    """Not in half precision."""
    return outputs if outputs.dtype == torch.float64 else outputs.float()
