"""The training losses of a round."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Losses:
    """They stay on their device until somebody asks."""

    def __init__(self) -> None:
        self._seen: list[tuple[Tensor, float | Tensor]] = []

    def add(self, loss: Tensor, weight: float | Tensor) -> None:
        """The mean loss of so many examples, or of as much weight."""
        self._seen.append((loss.detach(), weight))

    def mean(self, world: int, skip: bool) -> float:
        """Over the examples of all processes, and forget them; with ``skip`` without those that are not finite."""
        seen = torch.stack([torch.stack([loss * n, torch.as_tensor(n).to(loss)]) for loss, n in self._seen])
        if skip:
            seen[~seen.isfinite().all(1)] = 0.0
        total = seen.sum(0)
        if world > 1:
            torch.distributed.all_reduce(total)
        self._seen.clear()
        return float(total[0] / total[1]) if total[1] else 0.0  # a round in which no example counts

    def first_bad(self) -> tuple[int, float] | None:
        """Number and value of the first that is not finite."""
        values = torch.stack([loss for loss, _ in self._seen]).tolist() if self._seen else []
        return next(((i, value) for i, value in enumerate(values) if not math.isfinite(value)), None)
