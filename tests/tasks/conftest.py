"""For the task tests: one thread, a task, and batches whose logits are known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tlx.config.task import Classification, Loss
from tlx.data.source import DataInfo
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.protocol import Batch

torch.set_num_threads(1)
CLASSES = ("cat", "dog", "owl", "yak")


class Given(nn.Module):
    """A network whose logits are known beforehand."""

    def forward(self, batch: Batch) -> Tensor:
        """The logits put into the batch."""
        logits: Tensor = batch["logits"]
        return logits


def task(multilabel: bool = False, smoothing: float = 0.0, modality: str = "image") -> ClassificationTask:
    info = DataInfo(modality, CLASSES, 1, 60, 20, 20, multilabel)
    return ClassificationTask(Classification(multilabel=multilabel, loss=Loss(label_smoothing=smoothing)), info)


def drawn(multilabel: bool, rows: int = 40, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (rows,), generator=generator)
    several = (torch.rand(rows, 4, generator=generator) < 0.4).float()
    logits = 2 * torch.randn(rows, 4, generator=generator)
    return {"index": torch.arange(rows), "y": several if multilabel else labels, "logits": logits}
