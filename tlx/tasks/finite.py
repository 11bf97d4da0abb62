"""Are the outputs of a network numbers? Noticed batch by batch, where they are, and asked once."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

NOT_FINITE = "the network gave NaN or infinity: try a smaller strategy.lr or hardware.precision=32-true"


class Finite(Metric):
    """Counts the batches, of all processes, whose outputs hold NaN or infinity; a device is asked at the end alone."""

    bad: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("bad", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, outputs: Tensor) -> None:
        """Take in a batch [examples, ...]."""
        self.bad += ~outputs.isfinite().all()

    def compute(self) -> Tensor:
        """How many there were."""
        return self.bad

    def require(self) -> None:
        """Raise :class:`FloatingPointError` if there was one since the last reset, in all processes alike."""
        if int(self.compute()):
            raise FloatingPointError(NOT_FINITE)
