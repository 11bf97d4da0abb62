"""Losses and gradients that are not finite: the trial stops and keeps the batch, or leaves the step out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from tlx.data.module import Data
from tlx.data.order import Batches, Epochs
from tlx.files import durable
from tlx.runs.layout import BATCH
from tlx.tasks.protocol import Task

FILE = BATCH
_ADVICE = (
    "try a smaller strategy.lr, strategy.clip=1 or hardware.precision=32-true; strategy.on_nan=skip leaves steps out"
)


class Losses:
    """The training losses of a round; they stay on their device until somebody asks."""

    def __init__(self) -> None:
        self._seen: list[tuple[Tensor, int]] = []

    def add(self, loss: Tensor, count: int) -> None:
        """The mean loss of so many examples."""
        self._seen.append((loss.detach(), count))

    def mean(self, world: int, skip: bool) -> float:
        """Over the examples of all processes, and forget them; with ``skip`` without those that are not finite."""
        rows = [torch.stack([loss * n, torch.tensor(float(n), device=loss.device)]) for loss, n in self._seen]
        seen = torch.stack(rows)
        if skip:
            seen[~seen.isfinite().all(1)] = 0.0
        total = seen.sum(0)
        if world > 1:
            torch.distributed.all_reduce(total)
        self._seen.clear()
        return float(total[0] / total[1])

    def first_bad(self) -> tuple[int, float] | None:
        """Number and value of the first that is not finite."""
        values = torch.stack([loss for loss, _ in self._seen]).tolist() if self._seen else []
        return next(((i, value) for i, value in enumerate(values) if not math.isfinite(value)), None)


def stop(step: int, value: float, data: Data, task: Task, epochs: Epochs, folder: Path | None) -> FloatingPointError:
    """The error of an optimizer step whose loss is not finite; its batch is drawn again and kept in ``folder``."""
    (items,) = epochs.batches(step, step + 1)
    batch = next(iter(data.loader("train", task.collate, Batches([items]))))
    kept = ""
    if folder is not None:
        tensors = {name: tensor.contiguous() for name, tensor in batch.items() if isinstance(tensor, Tensor)}
        with durable.replacing_aside(folder / FILE) as partial:
            save_file(tensors, partial)
        kept = f"; its batch is in {FILE}"
    return FloatingPointError(f"the training loss of step {step + 1} is {value}{kept}: {_ADVICE}")


class NanGuard:
    """Leaves out optimizer steps whose gradients are not finite, and what the forward pass did to statistics."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def remember(self, model: nn.Module) -> None:
        """Before a step: the buffers that its forward pass may change."""
        self._buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}

    def leaves_out(self, model: nn.Module, optimizer: Optimizer, trainer: Trainer) -> bool:
        """Before the optimizer steps: take its gradients away if any is not finite; all processes decide alike."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        fine = all(bool(gradient.isfinite().all()) for gradient in gradients)
        strategy: Any = trainer.strategy
        if not strategy.reduce_boolean_decision(not fine, all=False):
            return False
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, buffer in self._buffers.items():
                model.get_buffer(name).copy_(buffer)
        return True
