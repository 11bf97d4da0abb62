"""Images: decoded, prepared for a backbone, with what is random in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from tlx.columns import augment, images
from tlx.columns.formats.pixels import Array
from tlx.columns.image_map import ImageMap, MappedImages
from tlx.columns.input_spec import ImageSpec
from tlx.columns.kept_images import KeptImages
from tlx.columns.reading import PLAIN, Indices, Item, Readable, Reading, Values
from tlx.columns.value_reader import content
from tlx.config.augmentation import OF_COLOURS, Step
from tlx.config.errors import ConfigIssue, DataError

_AFTERWARDS = ("none", "shift")  # what happens to an image that has been prepared
_TYPES = {"uint8": torch.uint8, "float32": torch.float32, "": torch.float32}
_MEMORY = 1 << 30  # bytes of prepared images kept per split


class Pictures(Readable, Protocol):
    """A column of images."""

    @property
    def dtype(self) -> str:
        """What images are batched as."""

    def scaled(self, value: Array) -> Array:
        """A decoded image, or several, in 0..255."""

    def is_as_read(self, values: Values) -> bool:
        """Are the numbers of an array those that are read of its images?"""


class Decoded:
    """The images of a split. What is random is a function of (seed, epoch, index) alone."""

    is_light = False

    def __init__(self, column: Pictures, values: Values, indices: Indices, reading: Reading) -> None:
        self.column, self.values, self.indices, self.reading = column, values, indices, reading
        self.spec = spec_of(reading)
        check_steps(reading.steps, column, self.spec.channels)
        self.kept = None if self._is_stack() else self._room()

    @property
    def is_ready(self) -> bool:
        """Is there nothing left to do but to look an image up? (Asking prepares what can be, once for all.)"""
        if self.reading.augmentation != "none":
            return False
        return self.whole is not None or (self.kept is not None and self.kept.is_complete)

    def take(self, items: Sequence[Item]) -> Tensor:
        """[images, channels, height, width]."""
        if self.is_ready:
            positions = [position for _, position in items]
            if self.whole is not None:
                return self.whole[torch.tensor(positions)].contiguous(memory_format=torch.channels_last)
            assert self.kept is not None
            return self.kept.take(positions)
        threads = min(torch.get_num_threads(), len(items))  # a worker has one
        if threads == 1:
            return stacked([self._image(item) for item in items])
        with ThreadPoolExecutor(threads) as pool:  # decoding and resizing let other threads run
            return stacked(list(pool.map(self._image, items)))

    def facts(self) -> Mapping[str, Any]:
        """The images, and what the backbone wants to see."""
        known = {"transform": repr(self.spec), "column": self.column.settings()}
        return {**known, "values": content(self.values, self.indices)}

    def _image(self, item: Item) -> Tensor:
        epoch, position = item
        reading, index = self.reading, int(self.indices[position])
        epoch = epoch % reading.views if reading.views and epoch != PLAIN else epoch
        augmentation = "none" if epoch == PLAIN else reading.augmentation
        if augmentation not in _AFTERWARDS:
            planes = images.planes(self.column.scaled(self._decoded(index)), self.spec.channels)
            rng = augment.generator(reading.seed, epoch, index)
            if augmentation == "flip_crop":
                found = augment.flip_crop(planes, self.spec, rng)
            else:
                found = augment.stepwise(planes, reading.steps, self.spec, rng)
            return images.finished(found, self.spec)
        image = self._plain(position)
        if augmentation == "shift":
            return augment.shift(image, augment.generator(reading.seed, epoch, index))
        return image

    def _plain(self, position: int) -> Tensor:
        """An image with nothing random."""
        if self.whole is not None:
            return self.whole[position]
        found = self.kept.get(position) if self.kept is not None else None
        if found is None:
            found = self.column.prepare(self._decoded(int(self.indices[position])), self.reading)
            if self.kept is not None:
                self.kept.put(position, found)
        return found

    def _decoded(self, index: int) -> Array:
        decoded: Array = self.column.read(self.values[index], self.reading.limits)
        return decoded

    def _room(self) -> KeptImages | MappedImages | None:
        """Where prepared images are kept: shared with other trials, or in this one's memory, where they fit."""
        shape, dtype = (self.spec.channels, self.spec.height, self.spec.width), _TYPES[self.column.dtype]
        fits = KeptImages.bytes(len(self.indices), shape, dtype) <= self.reading.memory
        own = KeptImages(len(self.indices), shape, dtype) if fits else None
        open_map = self.reading.images if dtype == torch.uint8 else None
        shared: ImageMap | None = open_map(self.column, self.spec) if open_map is not None else None
        return MappedImages(shared, self.indices, own) if shared is not None else own

    def _is_stack(self) -> bool:
        """Are they grey images of an array, which are prepared all at once?"""
        return isinstance(self.values, np.ndarray) and self.values.ndim == 3 and self.column.is_as_read(self.values)

    @cached_property
    def whole(self) -> Tensor | None:
        """Every image prepared at once, where there is nothing random before it and memory allows."""
        spec, values = self.spec, self.values
        if self.reading.augmentation not in _AFTERWARDS or not self._is_stack():
            return None
        assert isinstance(values, np.ndarray)
        if len(self.indices) * spec.channels * spec.height * spec.width * 4 > _MEMORY:
            return None
        return images.prepare_all(self.column.scaled(values[self.indices]), spec, self.reading.limits)


def check_steps(steps: Sequence[Step], column: Pictures, channels: int) -> None:
    """Refuse steps of an augmentation that are of colours for images that have none; raises :class:`DataError`."""
    found = [step for step in steps if isinstance(step, OF_COLOURS)]
    if found and (column.dtype != "uint8" or channels not in (1, 3)):
        what = " and ".join(type(step).__name__ for step in found)
        there = f"{channels} channels" if channels not in (1, 3) else "deeper values than bytes"
        message = (
            f"{what} is of bytes in grey or colours, and these images have {there}; light and its steps go with any"
        )
        raise DataError([ConfigIssue("dataset.augment", message)])


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
