"""One split as a torch data set: decoded, prepared for the backbone, kept in memory when that is small."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tlx.backbones.input_spec import ImageSpec, InputSpec, TextSpec
from tlx.config.dataset import Limits
from tlx.data import augment, images
from tlx.data.order import Item
from tlx.data.source import Indices, Source

_MEMORY = 1 << 30  # bytes of prepared images kept per split
PLAIN = -1
Sample = dict[str, Any]


class Examples(Dataset[list[Sample]]):
    """Samples ``{index, x | input_ids, y}`` by (epoch, position); random only through (seed, epoch, index).

    An epoch of :data:`PLAIN` asks for an example without augmentation. With ``views`` the augmentations of that many
    epochs come again and again.
    """

    def __init__(
        self,
        source: Source,
        indices: Indices,
        spec: InputSpec,
        *,
        augmentation: str = "none",
        seed: int = 0,
        views: int = 0,
        limits: Limits = images.DEFAULT,
    ) -> None:
        self.source = source
        self.indices = indices
        self.spec = spec
        self.augmentation = augmentation
        self.seed = seed
        self.views = views
        self.limits = limits
        self.collated: dict[str, Any] | None = None  # every example without its inputs, once somebody asked
        self.labels = torch.from_numpy(source.labels[indices])
        self.tokens = self._tokens() if isinstance(spec, TextSpec) else None

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, items: list[Item]) -> list[Sample]:
        """A batch of samples; torch's loader fetches through this."""
        return [self[item] for item in items]

    def __getitem__(self, item: Item) -> Sample:  # type: ignore[override]
        epoch, position = item
        sample = self.light(position)
        if self.tokens is None:
            sample["x"] = self._image(epoch, position, sample["index"])
        return sample

    def light(self, position: int, *, inputs: bool = True) -> Sample:
        """A sample without what has to be decoded; without ``inputs``, without any input."""
        sample: Sample = {"index": int(self.indices[position]), "y": self.labels[position]}
        if inputs and self.tokens is not None:
            sample["input_ids"] = self.tokens[position]
        return sample

    def _image(self, epoch: int, position: int, index: int) -> Tensor:
        assert isinstance(self.spec, ImageSpec)
        epoch = epoch % self.views if self.views and epoch != PLAIN else epoch
        augmentation = "none" if epoch == PLAIN else self.augmentation
        if augmentation == "flip_crop":
            planes = images.planes(self._decoded(index), self.spec.channels)
            rng = augment.generator(self.seed, epoch, index)
            return images.normalise(augment.flip_crop(planes, self.spec, rng), self.spec)
        if self.whole is not None:
            image = self.whole[position]
        else:
            image = images.prepare(self._decoded(index), self.spec, self.limits)
        if augmentation == "shift":
            return augment.shift(image, augment.generator(self.seed, epoch, index))
        return image

    def _decoded(self, index: int) -> images.Array:
        return images.decode(self.source.inputs[index], self.limits)

    @cached_property
    def whole(self) -> Tensor | None:
        """Every image prepared at once, where there is nothing random before it and memory allows."""
        spec, inputs = self.spec, self.source.inputs
        if not isinstance(spec, ImageSpec) or self.augmentation == "flip_crop":
            return None
        if not isinstance(inputs, np.ndarray) or inputs.ndim != 3:
            return None
        if len(self.indices) * spec.channels * spec.height * spec.width * 4 > _MEMORY:
            return None
        return images.prepare_all(inputs[self.indices], spec, self.limits)

    @property
    def is_ready(self) -> bool:
        """Is there nothing left to do for an example but to look it up? (Asking prepares what can be, once for all.)"""
        return self.tokens is not None or (self.whole is not None and self.augmentation == "none")

    def _tokens(self) -> list[list[int]]:
        spec = self.spec
        assert isinstance(spec, TextSpec)
        texts = [str(self.source.inputs[i]) for i in self.indices]
        encoded = spec.tokenizer(texts, truncation=True, max_length=spec.max_length, padding=False)
        ids: list[list[int]] = encoded["input_ids"]
        return ids
