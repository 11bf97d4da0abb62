"""A trained network with what it needs to answer for raw inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tlx.backbones.input_spec import ImageSpec, InputSpec
from tlx.config.dataset import Limits
from tlx.data import images
from tlx.data.source import DataInfo
from tlx.tasks.protocol import Task

_BATCH = 32  # inputs that go through the network together
Sample = dict[str, Any]


@dataclass
class Model:
    """A trained model that answers for raw inputs."""

    network: nn.Module
    spec: InputSpec
    task: Task
    info: DataInfo

    def sample(self, value: Any, limits: Limits = images.DEFAULT) -> Sample:
        """A decoded image (array [h, w] or [h, w, c]) or a text, as the network reads it.

        Raises:
            ValueError: The image has other channels than the network reads, or is over the limits once resized.
        """
        if isinstance(self.spec, ImageSpec):
            return {"x": images.prepare(value, self.spec, limits)}
        cut = {"truncation": True, "max_length": self.spec.max_length, "padding": False}
        return {"input_ids": self.spec.tokenizer(value, **cut)["input_ids"]}

    @torch.no_grad()
    def predict(self, samples: Sequence[Sample]) -> list[dict[str, Any]]:
        """``prediction`` and the probability of each class by name, for each sample."""
        label = torch.zeros(len(self.info.classes)) if self.info.multilabel else torch.tensor(0)
        found: list[dict[str, Any]] = []
        for start in range(0, len(samples), _BATCH):
            part = samples[start : start + _BATCH]
            batch = self.task.collate([{**sample, "index": i, "y": label} for i, sample in enumerate(part)])
            found += self.task.predict(self.network, batch)
        names = self.info.classes
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
