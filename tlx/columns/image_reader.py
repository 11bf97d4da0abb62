"""Images: decoded, prepared for a backbone, with what is random in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from tlx.columns import augment, images
from tlx.columns.formats.pixels import Array
from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import PLAIN, Indices, Item, Readable, Reading, Values
from tlx.columns.value_reader import content

_MEMORY = 1 << 30  # bytes of prepared images kept per split


class Pictures(Readable, Protocol):
    """A column of images."""

    def scaled(self, value: Array) -> Array:
        """A decoded image, or several, in 0..255."""


class Decoded:
    """The images of a split. What is random is a function of (seed, epoch, index) alone."""

    is_light = False

    def __init__(self, column: Pictures, values: Values, indices: Indices, reading: Reading) -> None:
        self.column, self.values, self.indices, self.reading = column, values, indices, reading
        self.spec = spec_of(reading)

    @property
    def is_ready(self) -> bool:
        """Is there nothing left to do but to look an image up? (Asking prepares what can be, once for all.)"""
        return self.whole is not None and self.reading.augmentation == "none"

    def take(self, items: Sequence[Item]) -> Tensor:
        """[images, channels, height, width]."""
        if self.is_ready:
            assert self.whole is not None
            found = self.whole[torch.tensor([position for _, position in items])]
            return found.contiguous(memory_format=torch.channels_last)
        return stacked([self._image(epoch, position) for epoch, position in items])

    def facts(self) -> Mapping[str, Any]:
        """The images, and what the backbone wants to see."""
        return {"transform": repr(self.spec), "values": content(self.values, self.indices)}

    def _image(self, epoch: int, position: int) -> Tensor:
        reading, index = self.reading, int(self.indices[position])
        epoch = epoch % reading.views if reading.views and epoch != PLAIN else epoch
        augmentation = "none" if epoch == PLAIN else reading.augmentation
        if augmentation == "flip_crop":
            planes = images.planes(self.column.scaled(self._decoded(index)), self.spec.channels)
            rng = augment.generator(reading.seed, epoch, index)
            return images.finished(augment.flip_crop(planes, self.spec, rng), self.spec)
        whole = self.whole
        image = whole[position] if whole is not None else self.column.prepare(self._decoded(index), reading)
        if augmentation == "shift":
            return augment.shift(image, augment.generator(reading.seed, epoch, index))
        return image

    def _decoded(self, index: int) -> Array:
        decoded: Array = self.column.read(self.values[index], self.reading.limits)
        return decoded

    @cached_property
    def whole(self) -> Tensor | None:
        """Every image prepared at once, where there is nothing random before it and memory allows."""
        spec, values = self.spec, self.values
        if self.reading.augmentation == "flip_crop" or not isinstance(values, np.ndarray) or values.ndim != 3:
            return None
        if len(self.indices) * spec.channels * spec.height * spec.width * 4 > _MEMORY:
            return None
        return images.prepare_all(self.column.scaled(values[self.indices]), spec, self.reading.limits)


def spec_of(reading: Reading) -> ImageSpec:
    if not isinstance(reading.spec, ImageSpec):
        raise TypeError(f"an image is read by a backbone that takes images, not by {reading.spec!r}")
    return reading.spec


def stacked(prepared: Sequence[Tensor]) -> Tensor:
    """[images, channels, height, width], channels last in memory: a third faster for convolutions."""
    shape = (len(prepared), *prepared[0].shape)
    batch = torch.empty(shape, dtype=prepared[0].dtype, memory_format=torch.channels_last)
    for place, one in enumerate(prepared):
        batch[place].copy_(one)
    return batch
