"""A trained network with what it needs to answer for raw inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tlx.columns import Column, Reading, images
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec, InputSpec, TextSpec
from tlx.columns.schema import Schema
from tlx.config.dataset import Limits
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.network import specs
from tlx.tasks.protocol import Task

_BATCH = 32  # inputs that go through the network together


@dataclass
class Model:
    """A trained model of one input column, an image or a text, that answers for raw inputs."""

    network: nn.Module
    task: Task
    schema: Schema

    @property
    def column(self) -> Column:
        """What it reads."""
        (column,) = self.schema.inputs.values()
        return column

    @property
    def spec(self) -> ImageSpec | TextSpec:
        """What the network expects of it."""
        found: InputSpec = specs(self.network)[self.column.name]
        assert isinstance(found, (ImageSpec, TextSpec))
        return found

    def sample(self, value: Any, limits: Limits = images.DEFAULT) -> Any:
        """A decoded image (array [h, w] or [h, w, c]) or a text, as the network reads it.

        Raises:
            ValueError: The image has other channels than the network reads, or is over the limits once resized.
        """
        return self.column.prepare(value, Reading(self.spec, limits=limits))

    @torch.no_grad()
    def predict(self, samples: Sequence[Any]) -> list[dict[str, Any]]:
        """``prediction`` for each sample; of labels, the probability of each class by name too."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(samples), _BATCH):
            part = samples[start : start + _BATCH]
            inputs = {self.column.name: self.column.collate(part, Reading(self.spec))}
            found += self.task.predict(self.network, Batch(torch.arange(len(part)), inputs))
        if not isinstance(self.task, ClassificationTask):
            return [{"prediction": one["prediction"]} for one in found]
        names = self.task.column.classes
        return [
            {
                "prediction": one["prediction"],
                "probabilities": dict(zip(names, one["probabilities"], strict=True)),
            }
            for one in found
        ]

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """:meth:`predict` for decoded images or texts that are trusted."""
        return self.predict([self.sample(value) for value in inputs])
