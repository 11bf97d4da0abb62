"""Arrays of NumPy: ``.npy``, and ``.npz`` with one image in it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from tlx.columns.formats.pixels import NUMBERS, Array, Pixels, ReadAs, allow, chosen, frame_at, laid_out, native, size
from tlx.config.dataset_parts import Limits
from tlx.files import regular

_HEADER = 1 << 16  # bytes of a file in which its header ends; numpy itself reads none above 10 000
_NAMES = ("image", "arr_0")  # of the array that is taken where there are several
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """The array of a file whose header is in order: what it claims is there, and within the limits."""
    frame_at(how.frame, 1, 0)
    with regular.opened(path) as stream:
        if path.suffix.lower() == ".npz":
            values = _of_archive(stream, how, limits)
        else:
            there = os.fstat(stream.fileno()).st_size
            _check(stream.read(_HEADER), there, how, limits)
            stream.seek(0)
            values = np.load(stream, allow_pickle=False)
    return Pixels(chosen(laid_out(native(values), how.layout), how.bands))


def _of_archive(stream: IO[bytes], how: ReadAs, limits: Limits) -> Array:
    """The image of a ``.npz`` file: its only array, or the one that is called so."""
    with zipfile.ZipFile(stream) as archive:
        names = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
        wanted = [name for name in _NAMES if name in names] if len(names) > 1 else list(names)
        if not wanted:
            raise ValueError(f"expected one array, or one called {' or '.join(_NAMES)}; found {_listed(list(names))}")
        member = archive.getinfo(names[wanted[0]])
        if member.compress_type not in _PACKED:
            raise ValueError(f"{member.filename} is compressed in a way that numpy.savez does not write")
        with archive.open(member) as packed:
            _check(packed.read(_HEADER), member.file_size, how, limits)
        with archive.open(member) as packed:  # as much as the header claims is read, and not more
            values: Array = np.lib.format.read_array(packed, allow_pickle=False)
    return values


def _check(beginning: bytes, there: int, how: ReadAs, limits: Limits) -> None:
    """Refuse an array by its header, before anything of it is read."""
    head = io.BytesIO(beginning)
    version = np.lib.format.read_magic(head)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(head)
    if dtype.kind not in NUMBERS or dtype.itemsize > 8:
        raise ValueError(f"expected an array of numbers of at most 64 bits, found {dtype}")
    height, width, channels = size(shape, how.layout)
    allow(height, width, channels, limits)
    claimed = height * width * channels * dtype.itemsize
    if claimed > there - head.tell():
        raise ValueError(f"claims {claimed:,} bytes of pixels, but holds {there - head.tell():,}")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
