"""Prepared images in files that several processes read and write: whoever comes first decodes for all.

Nobody waits for anybody. An image is there when its checksum fits its pixels, so one that was being written when its
process died, or the machine, is not; and as all who write it write the same bytes, it stays what it is while it is
written again.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path

import numpy as np
import torch
import xxhash
from torch import Tensor

from tlx.columns.kept_images import KeptImages
from tlx.columns.reading import Indices

PIXELS, SUMS = "0-0.npy", "0-1.npy"
_SUM = 8  # bytes of a checksum; all zero: none


class ImageMap:
    """Bytes [images, height, width, channels] of all images of a source, and a checksum of each."""

    def __init__(self, folder: Path, count: int, shape: Sequence[int], is_unchanged: Callable[[int], bool]) -> None:
        """Open what :meth:`create` has made.

        Args:
            folder: Where it lies.
            count: Of the images.
            shape: [channels, height, width] of each.
            is_unchanged: Has the file of an image the content that this map is of? It is asked once it was decoded.

        Raises:
            ValueError: It is another one, or damaged.
            OSError: It cannot be read and written.
        """
        channels, height, width = shape
        if any((folder / name).is_symlink() for name in (PIXELS, SUMS)):
            raise ValueError(f"{folder.name}: holds a symbolic link")
        pixels, sums = (np.lib.format.open_memmap(folder / name, mode="r+") for name in (PIXELS, SUMS))
        fits = pixels.shape == (count, height, width, channels) and sums.shape == (count,)
        if not (fits and pixels.dtype == np.uint8 and sums.dtype == np.uint64):
            raise ValueError(f"{folder.name}: not the images that were asked for")
        self._pixels, self._sums, self._is_unchanged = pixels, sums, is_unchanged
        self._images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        self._each = height * width * channels  # bytes
        self._writes = True
        # of this process and of those that are forked from it
        self._sound = torch.frombuffer(mmap.mmap(-1, max(1, count)), dtype=torch.uint8)[:count]
        self._streams = [FileIO(folder / name, "r+") for name in (PIXELS, SUMS)]

    @staticmethod
    def create(folder: Path, count: int, shape: Sequence[int]) -> None:
        """Make the files, without any image; the disk is taken as images come."""
        channels, height, width = shape
        np.lib.format.open_memmap(folder / PIXELS, mode="w+", dtype=np.uint8, shape=(count, height, width, channels))
        np.lib.format.open_memmap(folder / SUMS, mode="w+", dtype=np.uint64, shape=(count,))

    @staticmethod
    def size(count: int, shape: Sequence[int]) -> int:
        """Bytes that so many images take."""
        return KeptImages.bytes(count, shape, torch.uint8) + count * _SUM

    def has(self, rows: Tensor) -> Tensor:
        """Which of these images are known to be there [rows]."""
        return self._sound[rows] != 0

    def get(self, row: int) -> Tensor | None:
        """An image [channels, height, width], if it is there and whole."""
        if not self._sound[row]:
            wanted = int(self._sums[row])
            if not wanted or _sum(self._pixels[row].tobytes()) != wanted:
                return None
            self._sound[row] = 1
        return self._images[row]

    def put(self, row: int, image: Tensor) -> bool:
        """Keep an image; not where its file has another content by now, or the disk is full."""
        if not self._writes or not self._is_unchanged(row):
            return False
        content = image.permute(1, 2, 0).contiguous().numpy().tobytes()
        pixels, sums = self._streams
        try:  # not through the mapping: on a full disk that ends the process
            self._write(pixels, self._pixels.offset + row * self._each, content)
            self._write(sums, self._sums.offset + row * _SUM, _sum(content).to_bytes(_SUM, "little"))
        except OSError:
            self._writes = False
            return False
        self._sound[row] = 1
        return True

    def take(self, rows: Tensor) -> Tensor:
        """Images [rows, channels, height, width] that are there, channels last."""
        return self._images[rows].contiguous(memory_format=torch.channels_last)

    @staticmethod
    def _write(stream: FileIO, place: int, content: bytes) -> None:
        if os.pwrite(stream.fileno(), content, place) < len(content):
            raise OSError("the disk is full")


class MappedImages:
    """The images of a split in a map; in this trial's own memory what cannot be put there."""

    def __init__(self, shared: ImageMap, rows: Indices, own: KeptImages | None) -> None:
        """``rows``: numbers of the split's images in the map; ``own``: room for them, where that is allowed."""
        self._map, self._rows, self._own = shared, torch.from_numpy(rows), own

    @property
    def is_complete(self) -> bool:
        """Are all images there?"""
        there = self._map.has(self._rows)
        return bool((there if self._own is None else there | self._own.has).all())

    def get(self, position: int) -> Tensor | None:
        """An image [channels, height, width], if it is there."""
        found = self._map.get(int(self._rows[position]))
        return self._own.get(position) if found is None and self._own is not None else found

    def put(self, position: int, image: Tensor) -> None:
        """Keep an image."""
        if not self._map.put(int(self._rows[position]), image) and self._own is not None:
            self._own.put(position, image)

    def take(self, positions: Sequence[int]) -> Tensor:
        """Images [positions, channels, height, width] that are there, channels last."""
        chosen = torch.tensor(positions)
        rows = self._rows[chosen]
        found = self._map.take(rows)
        left = (~self._map.has(rows)).nonzero()[:, 0]
        if len(left):
            assert self._own is not None
            found[left] = self._own.take(chosen[left].tolist())
        return found


def _sum(content: bytes) -> int:
    return xxhash.xxh3_64_intdigest(content) or 1
