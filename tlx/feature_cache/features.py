"""Reading an entry: the kept tensors of any examples, from memory where the entry is small, else from mapped files.

Every block is compared with its checksum before a byte of it is used.
"""

from __future__ import annotations

import math
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
import xxhash
from torch import Tensor

from tlx._compat.devices import onto
from tlx._compat.maps import forget_pages
from tlx.feature_cache.entry import BLOCK, HEADER, Column, CorruptEntryError, Meta, header, read_meta
from tlx.feature_cache.store import Store

_MEMORY = 1 << 28  # bytes: entries up to this size are held in memory
_RESIDENT = 1 << 27  # bytes of mapped files that may stay resident
_FAULT = 1 << 21  # bytes the kernel may map around a touched page
Rows = npt.NDArray[np.int64]


class Features:
    """One entry, open for reading and kept from eviction until closed."""

    def __init__(self, store: Store, key: str, device: torch.device | None = None) -> None:
        """Raises :class:`CorruptEntryError`."""
        self._stack = ExitStack()
        self._columns: list[_Mapped | _Held] = []
        try:
            folder = self._stack.enter_context(store.reading(key))
            self.meta: Meta = read_meta(folder)
            small = self.meta.bytes <= _MEMORY
            for number, column in enumerate(self.meta.columns):
                mapped = _Mapped(key, folder, self.meta, number, column)
                self._columns.append(_Held(mapped, device) if small else mapped)
        except BaseException:
            self.close()
            raise
        self.in_memory = small

    def __len__(self) -> int:
        return self.meta.rows

    def take(self, rows: Rows) -> list[Tensor]:
        """The kept tensors of these examples, one per column; texts are padded with zeros to the longest.

        Raises :class:`CorruptEntryError` for bytes that are not what was written.
        """
        return [column.take(rows) for column in self._columns]

    def close(self) -> None:
        """Let others evict it."""
        for column in self._columns:
            column.close()
        self._stack.close()


class _Mapped:
    """A column in its files. What was read is dropped from this process's memory now and then."""

    def __init__(self, key: str, folder: Any, meta: Meta, number: int, column: Column) -> None:
        self.key = key
        self.column = column
        self.files: list[npt.NDArray[Any]] = []
        self._streams: list[BinaryIO] = []
        self.sums: list[list[str]] = []
        self.starts: list[int] = []  # of each file, in examples, tokens, or one
        counts = 0
        for part in meta.parts:
            file = part["files"][number]
            self.files.append(_map(folder / file["name"], column, file))
            self._streams.append((folder / file["name"]).open("rb"))  # read for checksums, which maps nothing
            self.sums.append(file["sums"])
            self.starts.append(counts)
            counts += file["count"]
            if column.kind == "shared":
                break
        self.count = counts
        self.offsets = _offsets(meta) if column.kind == "tokens" else None
        self._sound = [np.zeros(len(sums), dtype=bool) for sums in self.sums]
        self._touched = 0

    def take(self, rows: Rows) -> Tensor:
        if self.column.kind == "shared":
            return self.column.unpack(torch.from_numpy(self.gather(np.zeros(1, np.int64))))[0]
        if self.offsets is None:
            return self.column.unpack(torch.from_numpy(self.gather(rows)))
        places, mask = _places(self.offsets, rows)
        flat = self.column.unpack(torch.from_numpy(self.gather(places.reshape(-1))))
        return _padded(flat, mask)

    def gather(self, places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Rows of the column by number."""
        out = np.empty((len(places), *self.column.kept), self.column.plain)
        which = np.searchsorted(np.array(self.starts), places, side="right") - 1
        for number, values in enumerate(self.files):
            mine = which == number
            if mine.any():
                local = places[mine] - self.starts[number]
                self._verify(number, local)
                out[mine] = values[local]
        return out

    def whole(self) -> npt.NDArray[Any]:
        """All of it, every checksum compared."""
        for number, values in enumerate(self.files):
            self._verify(number, np.arange(len(values)))
        return np.concatenate(self.files)

    def close(self) -> None:
        """Let go of the files."""
        for stream in self._streams:
            stream.close()

    def _verify(self, number: int, local: npt.NDArray[np.int64]) -> None:
        values, sound = self.files[number], self._sound[number]
        size = values.itemsize * int(np.prod(values.shape[1:], dtype=np.int64))
        self._touched += len(local) * max(size, _FAULT)
        if size and not sound.all():
            first, last = local * size // BLOCK, (local * size + size - 1) // BLOCK
            wanted = np.unique(np.concatenate([first + i for i in range(int((last - first).max()) + 1)]))
            for block in wanted[wanted < len(sound)]:
                if not sound[block]:
                    piece = os.pread(self._streams[number].fileno(), BLOCK, HEADER + block * BLOCK)
                    if xxhash.xxh3_64_hexdigest(piece) != self.sums[number][block]:
                        raise CorruptEntryError(f"{self.key}: block {block} of a file has changed on disk")
                    sound[block] = True
        if self._touched > _RESIDENT:
            for file in self.files:
                if isinstance(file, np.memmap):
                    forget_pages(file)
            self._touched = 0


class _Held:
    """A column in memory, on the device it is used on."""

    def __init__(self, mapped: _Mapped, device: torch.device | None) -> None:
        self.column = mapped.column
        self.offsets = mapped.offsets
        self.values = torch.from_numpy(mapped.whole())
        mapped.close()
        if device is not None:
            self.values = self.values.to(device)

    def take(self, rows: Rows) -> Tensor:
        if self.column.kind == "shared":
            return self.column.unpack(self.values.clone())[0]
        if self.offsets is None:
            return self.column.unpack(self._select(rows))
        places, mask = _places(self.offsets, rows)
        return _padded(self.column.unpack(self._select(places.reshape(-1))), onto(mask, self.values.device))

    def close(self) -> None:
        """Nothing is open."""

    def _select(self, rows: Rows) -> Tensor:
        return self.values.index_select(0, onto(torch.from_numpy(rows), self.values.device))


def _map(path: Path, column: Column, file: dict[str, Any]) -> npt.NDArray[Any]:
    """A file's values, mapped; raises :class:`CorruptEntryError` unless its length and beginning are what they were."""
    shape = (file["count"], *column.kept)
    size = column.plain.itemsize * math.prod(shape)
    try:
        with path.open("rb") as stream:
            begins = stream.read(HEADER) == header(column, file["count"])
        if not begins or path.stat().st_size != HEADER + size or len(file["sums"]) != -(-size // BLOCK):
            raise CorruptEntryError(f"{path.parent.name}: {path.name} is not the file that was written")
        if not size:
            return np.empty(shape, column.plain)
        return np.memmap(path, column.plain, "r", HEADER, shape)
    except OSError as error:
        raise CorruptEntryError(f"{path.parent.name}: {path.name} cannot be read") from error


def _offsets(meta: Meta) -> npt.NDArray[np.int64]:
    """Where each text begins, and where the last one ends."""
    ends = [0]
    for part in meta.parts:
        begin = ends[-1]
        ends += [begin + offset for offset in part["offsets"]]
    return np.array(ends, dtype=np.int64)


def _places(offsets: npt.NDArray[np.int64], rows: Rows) -> tuple[npt.NDArray[np.int64], Tensor]:
    """Token numbers [texts, longest], and which of them are there."""
    begin, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    steps = np.arange(int(lengths.max()))
    there = steps < lengths[:, None]
    last = max(0, int(offsets[-1]) - 1)  # a text of no tokens at the end begins where nothing is
    return np.minimum(np.where(there, begin[:, None] + steps, begin[:, None]), last), torch.from_numpy(there)


def _padded(flat: Tensor, mask: Tensor) -> Tensor:
    """[texts * longest, ...] as [texts, longest, ...], zero where there is no token."""
    tensor = flat.reshape(*mask.shape, *flat.shape[1:])
    tensor[~mask] = 0
    return tensor
