"""An entry of the store: what one site gives for every example of a split, as ``.npy`` files with checksums.

Several processes may write parts of one entry, each a run of examples. What belongs to one example is kept in the order
its dimensions lie in memory, so that it comes back bit for bit and stride for stride. Texts are kept without padding,
token after token, with the offset of each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
import xxhash
from torch import Tensor

from tlx.feature_cache.cut import NotCacheable, OutputSpec
from tlx.files import durable, foreign

META = "entry.json"
BLOCK = 1 << 22  # bytes under one checksum
_FORMAT = 1
_PLAIN = {torch.bfloat16: torch.uint16}  # what numpy lacks is kept as its bits


class CorruptEntryError(NotCacheable):
    """An entry is not what was written."""


@dataclass(frozen=True)
class Column:
    """How one tensor of a site is kept: [count, *shape] in ``order``, where count is examples, tokens, or one."""

    kind: str  # rows | tokens | shared
    dtype: str
    shape: tuple[int, ...]  # of one example or token
    order: tuple[int, ...]  # its dimensions, the outermost in memory first

    @staticmethod
    def of(leaf: OutputSpec, tensor: Tensor) -> Column:
        """The column of a recorded tensor."""
        lead = {"rows": 1, "tokens": 2, "shared": 0}[leaf.kind]
        strides = tensor.stride()[lead:]
        order = sorted(range(len(strides)), key=lambda i: (-strides[i], i))
        return Column(leaf.kind, str(tensor.dtype).removeprefix("torch."), tuple(leaf.shape), tuple(order))

    @property
    def kept(self) -> tuple[int, ...]:
        """The shape as it lies on disk."""
        return tuple(self.shape[i] for i in self.order)

    @property
    def plain(self) -> np.dtype[Any]:
        """The numpy type on disk."""
        dtype = getattr(torch, self.dtype)
        return np.dtype(str(_PLAIN.get(dtype, dtype)).removeprefix("torch."))

    def pack(self, tensor: Tensor) -> npt.NDArray[Any]:
        """[n, *shape] as it goes to disk."""
        tensor = tensor.detach().cpu().permute(0, *(i + 1 for i in self.order)).contiguous()
        return np.asarray((tensor.view(_PLAIN[tensor.dtype]) if tensor.dtype in _PLAIN else tensor).numpy())

    def unpack(self, kept: Tensor) -> Tensor:
        """The other way round; strides are those of the recorded tensor."""
        back = sorted(range(len(self.order)), key=lambda i: self.order[i])
        dtype = getattr(torch, self.dtype)
        return (kept.view(dtype) if dtype in _PLAIN else kept).permute(0, *(i + 1 for i in back))


class Writer:
    """Writes the part of an entry that holds examples ``start`` on. ``files`` are those of the part, by column."""

    def __init__(self, folder: Path, start: int, columns: Sequence[Column]) -> None:
        self.folder = folder
        self.start = self.stop = start
        self.columns = list(columns)
        self.offsets = [0]  # of texts
        self._streams = [_Stream(folder / f"{start}-{i}.npy", column) for i, column in enumerate(columns)]

    def append(self, tensors: Sequence[Tensor], count: int, lengths: Sequence[int] | None = None) -> None:
        """The next ``count`` examples, the first of the recorded tensors; of texts, how many tokens each has."""
        for column, tensor, stream in zip(self.columns, tensors, self._streams, strict=True):
            if column.kind == "shared":
                stream.same(column.pack(tensor.unsqueeze(0)))
            elif column.kind == "tokens":
                assert lengths is not None
                texts = zip(tensor[:count], lengths, strict=True)
                stream.append(column.pack(torch.cat([text[:length] for text, length in texts])))
            else:
                stream.append(column.pack(tensor[:count]))
        for length in lengths or ():
            self.offsets.append(self.offsets[-1] + length)
        self.stop += count

    def close(self) -> dict[str, Any]:
        """Everything on disk; what :func:`publish` must know of the part."""
        files = [stream.close() for stream in self._streams]
        return {"start": self.start, "stop": self.stop, "offsets": self.offsets[1:], "files": files}

    def abort(self) -> None:
        """Let go of the files."""
        for stream in self._streams:
            stream.stream.close()


class _Stream:
    """One ``.npy`` file, written in order; its header is put in at the end, when its length is known."""

    def __init__(self, path: Path, column: Column) -> None:
        self.path = path
        self.column = column
        self.count = 0
        self.stream: BinaryIO = path.open("wb")
        self.stream.write(b"\0" * HEADER)
        self.sums: list[str] = []
        self._open = xxhash.xxh3_64()
        self._filled = 0
        self._first: npt.NDArray[Any] | None = None

    def append(self, values: npt.NDArray[Any]) -> None:
        self.count += len(values)
        view = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        self.stream.write(view)
        while len(view):
            piece = view[: BLOCK - self._filled]
            self._open.update(piece)
            self._filled += len(piece)
            view = view[len(piece) :]
            if self._filled == BLOCK:
                self._end_block()

    def same(self, values: npt.NDArray[Any]) -> None:
        """A value that has to be the same for every batch; raises :class:`NotCacheable` if it is not."""
        if self._first is None:
            self._first = values
            self.append(values)
        elif not np.array_equal(self._first, values):
            raise NotCacheable("what should be the same for every batch is not")

    def close(self) -> dict[str, Any]:
        if self._filled:
            self._end_block()
        self.stream.seek(0)
        self.stream.write(header(self.column, self.count))
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.stream.close()
        return {"name": self.path.name, "count": self.count, "sums": self.sums}

    def _end_block(self) -> None:
        self.sums.append(self._open.hexdigest())
        self._open = xxhash.xxh3_64()
        self._filled = 0


HEADER = 256  # bytes, enough for any shape


def header(column: Column, count: int) -> bytes:
    """A version 1.0 header of the npy format, padded to a fixed length."""
    fields = {"descr": column.plain.str, "fortran_order": False, "shape": (count, *column.kept)}
    text = repr(fields).encode("latin1")
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11) + b"\n"


@dataclass(frozen=True)
class Meta:
    """What ``entry.json`` says."""

    facts: dict[str, Any]  # what the key was made of, for people
    columns: tuple[Column, ...]
    parts: list[dict[str, Any]]
    rows: int
    bytes: int
    seconds: float  # of process time, per example, to compute it anew


_SHAPE: dict[str, Any] = {  # of entry.json
    "format": int,
    "facts": dict[str, Any],
    "columns": list[dict[str, Any]],
    "parts": list[dict[str, Any]],
    "rows": int,
    "bytes": int,
    "seconds": float,
}


def write_meta(folder: Path, meta: Meta) -> None:
    """Seal an entry."""
    body = json.dumps({"format": _FORMAT, **asdict(meta)})
    durable.write(folder / META, json.dumps({"sum": xxhash.xxh3_64_hexdigest(body.encode()), "body": body}))


def read_meta(folder: Path) -> Meta:
    """What is in an entry; raises :class:`CorruptEntryError`."""
    try:
        sealed = foreign.json_file(folder / META, dict[str, str])
        body = sealed["body"]
        if xxhash.xxh3_64_hexdigest(body.encode()) != sealed["sum"]:
            raise CorruptEntryError(f"{folder.name}: {META} has changed")
        fields = foreign.json_value(body)
        if not foreign.conforms(fields, dict[str, Any]) or not all(
            foreign.conforms(fields.get(name), kind) for name, kind in _SHAPE.items()
        ):
            raise CorruptEntryError(f"{folder.name}: {META} has other fields than were written")
        if fields.pop("format") != _FORMAT:
            raise CorruptEntryError(f"{folder.name}: of another format")
        columns = tuple(
            Column(c["kind"], c["dtype"], tuple(c["shape"]), tuple(c["order"])) for c in fields.pop("columns")
        )
        return Meta(columns=columns, **fields)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptEntryError(f"{folder.name}: {META} cannot be read ({type(error).__name__})") from error
