"""Volumes of neuroimaging: slices of ``.nii`` and ``.nii.gz``, by nibabel."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path
from typing import IO, Any, cast

import nibabel
import numpy as np

from tlx.columns.formats import colour
from tlx.columns.formats.pixels import Array, Pixels, ReadAs, allow, chosen, frame_at, native
from tlx.config.dataset_parts import Limits
from tlx.files import regular

_SIZES = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}  # of the header, which says so itself first of all
_COLOURS = ("R", "G", "B")


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """One slice along the third axis; the slices of later volumes (time) follow those of the first.

    Where no frame is asked for it is the middle one of the first volume. The first axis of the file becomes the
    columns, the second the rows.
    """
    with regular.opened(path) as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                return _slice(cast(IO[bytes], unpacked), None, how, limits)
        return _slice(stream, os.fstat(stream.fileno()).st_size, how, limits)


def _slice(stream: IO[bytes], there: int | None, how: ReadAs, limits: Limits) -> Pixels:
    """A slice, of which nothing but its own bytes is kept.

    Args:
        stream: Of the bare file.
        there: How many bytes it has; None: it is compressed, and nobody knows.
        how: Which slice.
        limits: Of its size, and of what is decompressed on the way to it.
    """
    header = _header(stream)
    shape = tuple(int(one) for one in header.get_data_shape())
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"expected a volume, found {list(shape)}")
    width, height = shape[:2]
    depth, frames = shape[2] if len(shape) > 2 else 1, math.prod(shape[2:])
    index = frame_at(how.frame, frames, depth // 2)
    dtype = header.get_data_dtype()
    channels = len(dtype.names or "1")
    allow(height, width, channels if there is not None else channels * (index + 1), limits)
    offset, length = int(header.get_data_offset()), height * width * dtype.itemsize
    if offset < header.sizeof_hdr:
        raise ValueError(f"its pixels begin at byte {offset}, inside of its header")
    if there is not None and offset + frames * length > there:
        raise ValueError(f"claims {offset + frames * length:,} bytes, but holds {there:,}")
    proxy = nibabel.arrayproxy.ArrayProxy(stream, ((width, height, frames), dtype, offset, 1.0, 0.0), mmap=False)
    values = _numbers(np.asarray(proxy[:, :, index]), dtype, how.background)
    return Pixels(chosen(_scaled(values, header).swapaxes(0, 1), how.bands), frames)


def _header(stream: IO[bytes]) -> Any:
    """The header without its extensions, whose size nothing bounds."""
    start = stream.read(4)
    for order in ("little", "big"):
        if made := _SIZES.get(int.from_bytes(start, cast(Any, order))):
            rest = stream.read(made.sizeof_hdr - 4)
            if len(rest) < made.sizeof_hdr - 4:
                raise ValueError("ends within its header")
            header = made(start + rest, endianness="<" if order == "little" else ">", check=False)
            if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
                raise ValueError("its pixels are in another file: only .nii files that hold them themselves are read")
            return header
    raise ValueError("no NIfTI file: its first bytes are no size of a header")


def _numbers(values: Array, dtype: np.dtype[Any], background: tuple[int, int, int]) -> Array:
    """Numbers; colours get an axis of their own, what is transparent is laid over the background."""
    if dtype.names is None:
        return native(values)
    if dtype.names[:3] != _COLOURS:
        raise ValueError(f"expected numbers or colours, found {dtype}")
    colours = np.stack([values[name] for name in _COLOURS], axis=-1)
    return colour.over(colours, values["A"], background) if "A" in dtype.names else colours


def _scaled(values: Array, header: Any) -> Array:
    """Values as the file means them: with its slope and intercept, in ``float32``, where it has any."""
    slope, intercept = header.get_slope_inter()
    if values.ndim == 3 or slope is None or (slope, intercept) == (1, 0):
        return values
    return (values * np.float64(slope) + np.float64(intercept)).astype(np.float32)
