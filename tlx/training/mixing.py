"""Mixup and CutMix: a batch is mixed with itself in another order, and so is what is learned from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlx._compat.devices import onto
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec, InputSpec
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.tasks.network import specs
from tlx.tasks.protocol import StepOutput, Task

_STREAM = 0x6D6978  # keeps these numbers apart from those of the order and of augmentation


@dataclass(frozen=True)
class Mixed:
    """A batch whose images are mixtures of two examples, with what each of the two brings.

    Args:
        batch: With mixed images, and the targets and what else is known of the first examples.
        other: The same images, with those of the second examples.
        own: The share of the first examples.
    """

    batch: Batch
    other: Batch
    own: float

    def training_step(self, task: Task, model: nn.Module) -> StepOutput:
        """The mean of the losses for both targets, by their shares; the network is passed through once."""
        once = _Once(model)
        first, other = task.training_step(once, self.batch), task.training_step(once, self.other)
        if first.loss is None or other.loss is None:
            return first
        return replace(first, loss=self.own * first.loss + (1 - self.own) * other.loss)


@dataclass(frozen=True)
class Mixing:
    """How batches are mixed, as a pure function of (seed, step, share).

    Mixup is a weighted mean of two images (Zhang et al. 2018); CutMix puts a part of one into the other (Yun et al.
    2019). The loss is the mean of those for both targets, with the same weights, whatever the task is. What an example
    weighs goes with its target; what a network reads beside images stays that of the first example.

    Args:
        kind: ``mixup``, ``cutmix``, or ``both``, one of them at random for each batch.
        mixup_alpha, cutmix_alpha: Of the Beta distribution of the share.
        seed: Of the order of examples.
    """

    kind: str
    mixup_alpha: float
    cutmix_alpha: float
    seed: int

    def mixed(self, model: nn.Module, batch: Batch, step: int, share: int) -> Mixed:
        """The mixed batch of an optimizer step; ``share``: which part of it."""
        rng = np.random.default_rng([self.seed, step, share, _STREAM])
        order = onto(torch.from_numpy(rng.permutation(len(batch))), batch.index.device)
        cut = self.kind == "cutmix" or (self.kind == "both" and rng.random() < 0.5)
        alpha = self.cutmix_alpha if cut else self.mixup_alpha
        own = float(rng.beta(alpha, alpha))
        inputs, own = (_cut if cut else _mean)(batch.inputs, specs(model), order, own, rng)
        first = replace(batch, inputs=inputs)
        targets, meta = (_ordered(part, order) for part in (batch.targets, batch.meta))
        return Mixed(first, replace(first, index=batch.index[order], targets=targets, meta=meta), own)


def mixing(config: Dataset, seed: int, task: Task) -> Mixing | None:
    """How a trial mixes its batches; None where it does not.

    Raises:
        ConfigError: The network owns its loss, and sees whole examples.
    """
    if config.mix == "none":
        return None
    if task.form == "whole":
        raise ConfigError([ConfigIssue("dataset.mix", "this network owns its loss; use none", config.mix)])
    return Mixing(config.mix, config.mixup_alpha, config.cutmix_alpha, seed)


class _Once(nn.Module):
    """A network that is passed through once, whoever asks for its outputs again."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = [model]  # no module of it: nothing is registered twice
        self._outputs: Any = None

    def forward(self, inputs: Any) -> Any:
        if self._outputs is None:
            self._outputs = self._model[0](inputs)
        return self._outputs


def _images(inputs: Mapping[str, Any], expected: Mapping[str, InputSpec]) -> dict[str, Tensor]:
    """Images among the inputs, normalised, as a mean of bytes would be rounded."""
    found = {}
    for name, spec in expected.items():
        if isinstance(spec, ImageSpec):
            found[name] = spec.as_floats(inputs[name])
    return found


def _mean(
    inputs: Mapping[str, Any], expected: Mapping[str, InputSpec], order: Tensor, own: float, rng: np.random.Generator
) -> tuple[dict[str, Any], float]:
    mixed = {name: own * one + (1 - own) * one[order] for name, one in _images(inputs, expected).items()}
    return {**inputs, **mixed}, own


def _cut(
    inputs: Mapping[str, Any], expected: Mapping[str, InputSpec], order: Tensor, own: float, rng: np.random.Generator
) -> tuple[dict[str, Any], float]:
    """The box has the share 1 - ``own`` of the area, before it is cut off at the borders.

    It is the same of every image of an example; as they may differ in size, so may the share that is left of each.
    """
    mixed, left_over = {}, []
    across, down = rng.random(2)
    half = math.sqrt(1 - own) / 2
    for name, one in _images(inputs, expected).items():
        height, width = one.shape[-2:]
        top, bottom = (int(np.clip(round((down + sign * half) * height), 0, height)) for sign in (-1, 1))
        left, right = (int(np.clip(round((across + sign * half) * width), 0, width)) for sign in (-1, 1))
        whole = one.clone()
        whole[..., top:bottom, left:right] = one[order][..., top:bottom, left:right]
        mixed[name] = whole
        left_over.append(1 - (bottom - top) * (right - left) / (height * width))
    return {**inputs, **mixed}, sum(left_over) / len(left_over)


def _ordered(values: Mapping[str, Any], order: Tensor) -> dict[str, Any]:
    """By column, what is known of examples, in another order."""
    return {name: _of(one, order) for name, one in values.items()}


def _of(value: Any, order: Tensor) -> Any:
    if isinstance(value, Tensor):
        return value[order]
    if isinstance(value, Mapping):
        return _ordered(value, order)
    return [value[number] for number in order.tolist()]
