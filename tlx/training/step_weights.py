"""What the loss of a whole optimizer step is a mean of: known in advance, as the order of examples is."""

from __future__ import annotations

import torch
from torch import Tensor

from tlx.data.module import Data
from tlx.data.order import Epochs
from tlx.tasks.protocol import Task


class StepWeights:
    """Sums of the weights of examples, so that parts of a step add up to its mean on any number of processes."""

    def __init__(self, task: Task, data: Data, epochs: Epochs) -> None:
        self._task, self._data, self._epochs = task, data, epochs
        self._examples: Tensor | None = None  # of those that train, once somebody asked
        self._steps: dict[int, float] = {}  # of an epoch's steps

    def of_step(self, step: int) -> float:
        """The sum over the examples of a step, 1 where none of them counts."""
        if step not in self._steps:
            stop = step + self._epochs.steps_per_epoch
            positions = (found for _, found in self._epochs.positions(step, stop))
            sums = [float(self._of_examples()[torch.from_numpy(found)].sum()) for found in positions]
            self._steps = {at: one or 1.0 for at, one in zip(range(step, stop), sums, strict=True)}
        return self._steps[step]

    def _of_examples(self) -> Tensor:
        if self._examples is None:
            train = self._data.examples["train"]
            known = self._task.weights(train.targets, train.meta)
            self._examples = torch.ones(len(train)) if known is None else known
        return self._examples
