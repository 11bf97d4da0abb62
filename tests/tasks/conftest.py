"""For the task tests: one thread, a task, and batches whose logits are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tlx.columns import Column, Image, Label, Labels, Text
from tlx.columns.batch import Batch
from tlx.columns.schema import Schema
from tlx.config.task import Classification, Loss
from tlx.tasks.classification import ClassificationTask

torch.set_num_threads(1)
CLASSES = ("cat", "dog", "owl", "yak")
COUNTS = {"train": 60, "val": 20, "test": 20}
TARGET = "animal"


class Given(nn.Module):
    """A network whose outputs are known beforehand."""

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        """The outputs put into the batch."""
        outputs: Tensor = inputs["outputs"]
        return outputs


def schema(multilabel: bool = False, modality: str = "image", *more: Column, unknown: bool = False) -> Schema:
    """Images or texts of four classes."""
    read: Column = Image("picture", channels=1) if modality == "image" else Text("words")
    target = Labels(TARGET, classes=CLASSES, unknown=unknown) if multilabel else Label(TARGET, classes=CLASSES)
    return Schema((read, target, *more), COUNTS)


def task(multilabel: bool = False, smoothing: float = 0.0, modality: str = "image") -> ClassificationTask:
    options = Classification(multilabel=multilabel, loss=Loss(label_smoothing=smoothing))
    return ClassificationTask(options, schema(multilabel, modality))


def batch_of(outputs: Tensor, targets: Mapping[str, Tensor], meta: Mapping[str, Any] | None = None) -> Batch:
    """Examples from 0 on, with the outputs that :class:`Given` gives for them."""
    return Batch(torch.arange(len(outputs)), {"outputs": outputs}, dict(targets), dict(meta or {}))


def drawn(multilabel: bool, rows: int = 40, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (rows,), generator=generator)
    several = (torch.rand(rows, 4, generator=generator) < 0.4).float()
    logits = 2 * torch.randn(rows, 4, generator=generator)
    return batch_of(logits, {TARGET: several if multilabel else labels})


def parts(batch: Batch, size: int) -> list[Batch]:
    """A batch in parts, the last of which may be smaller."""
    return [some(batch, slice(at, at + size)) for at in range(0, len(batch), size)]


def some(batch: Batch, chosen: slice) -> Batch:
    """Some examples of a batch."""
    return batch.map(lambda tensor: tensor[chosen])


def truth_and_outputs(batch: Batch) -> tuple[Tensor, Tensor]:
    """The target of a batch that has one, and its outputs."""
    (target,) = batch.targets.values()
    return target, batch.inputs["outputs"]
