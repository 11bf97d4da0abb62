"""Prepared images that are kept in memory: decoded once, whichever process of a trial comes first."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class KeptImages:
    """Room for every image of a split, shared with the workers that are forked later.

    Memory is taken as images come: anonymous, so that neither a disk nor the size of ``/dev/shm`` matters.
    """

    def __init__(self, count: int, shape: Sequence[int], dtype: torch.dtype) -> None:
        """``shape``: [channels, height, width] of each of ``count`` images."""
        channels, height, width = shape
        values = _shared(count * height * width * channels * dtype.itemsize)
        self._images = values.view(dtype).view(count, height, width, channels).permute(0, 3, 1, 2)
        self._there = _shared(count)

    @staticmethod
    def bytes(count: int, shape: Sequence[int], dtype: torch.dtype) -> int:
        """What that many images take."""
        return count * int(np.prod(shape)) * dtype.itemsize

    @property
    def is_complete(self) -> bool:
        """Are all images there?"""
        return bool(self._there.all())

    @property
    def has(self) -> Tensor:
        """Which images are there [images]."""
        return self._there != 0

    def get(self, position: int) -> Tensor | None:
        """An image [channels, height, width], if it is there."""
        return self._images[position] if self._there[position] else None

    def put(self, position: int, image: Tensor) -> None:
        """Keep an image."""
        self._images[position].copy_(image)
        self._there[position] = 1

    def take(self, positions: Sequence[int]) -> Tensor:
        """Images [positions, channels, height, width] that are there, channels last."""
        return self._images[torch.tensor(positions)].contiguous(memory_format=torch.channels_last)


def _shared(size: int) -> Tensor:
    return torch.frombuffer(mmap.mmap(-1, max(1, size)), dtype=torch.uint8)[:size]
