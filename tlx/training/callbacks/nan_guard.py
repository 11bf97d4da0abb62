"""Losses and gradients that are not finite: the trial stops and keeps the batch, or leaves the step out."""

from __future__ import annotations

import math
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from tlx.data.module import Data
from tlx.data.order import Batches, Epochs
from tlx.files import durable
from tlx.runs.layout import BATCH
from tlx.training.callbacks.callback import Callback, SkipStep
from tlx.training.callbacks.context import Context
from tlx.training.scaling import gradients_are_finite

_ADVICE = (
    "try a smaller strategy.lr, strategy.clip=1 or hardware.precision=32-true; strategy.on_nan=skip leaves steps out"
)


class NanStop(Callback):
    """Looks at the losses of a round before it is validated, and ends the trial at the first that is not finite."""

    def __init__(self, data: Data, epochs: Epochs, accumulate: int, folder: Path | None) -> None:
        """``folder``: where the batch is kept; None for nowhere."""
        self._data, self._epochs = data, epochs
        self._accumulate, self._folder = accumulate, folder

    def on_validation_start(self, ctx: Context) -> None:
        """Raise :class:`FloatingPointError`; all processes do, if one has to: the others would wait for it."""
        bad = ctx.losses.first_bad()
        if not ctx.any_process(bad is not None):
            return
        number, value = bad or (0, math.nan)
        step = ctx.round_began + number // self._accumulate
        kept = "" if self._folder is None else f"; its batch is in {self._keep(step, self._folder)}"
        raise FloatingPointError(f"the training loss of step {step + 1} is {value}{kept}: {_ADVICE}")

    def _keep(self, step: int, folder: Path) -> str:
        """Draw the batch of an optimizer step again, and write it."""
        (items,) = self._epochs.batches(step, step + 1)
        batch = next(iter(self._data.loader("train", Batches([items]))))
        tensors = {name: tensor.contiguous() for name, tensor in batch.tensors()}
        with durable.replacing_aside(folder / BATCH) as partial:
            save_file(tensors, partial)
        return BATCH


class NanSkip(Callback):
    """Leaves out optimizer steps whose gradients are not finite, and what the forward pass did to statistics."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def on_batch_start(self, ctx: Context) -> None:
        """Remember the buffers that the forward pass may change."""
        self._buffers = {name: buffer.detach().clone() for name, buffer in ctx.model.named_buffers()}

    def on_before_step(self, ctx: Context) -> SkipStep | None:
        """Have the step left out if a gradient is not finite; all processes decide alike."""
        bad = not gradients_are_finite(ctx.model)
        return SkipStep("a gradient is not finite", self._buffers) if ctx.any_process(bad) else None
