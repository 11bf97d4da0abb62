"""Arrays of NumPy: ``.npy``."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from tlx.columns.formats.pixels import NUMBERS, Pixels, ReadAs, allow, chosen, laid_out, native, size
from tlx.config.dataset import Limits
from tlx.files import regular

_HEADER = 1 << 16  # bytes of a file in which its header ends; numpy itself reads none above 10 000


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """The array of a file whose header is in order: what it claims is there, and within the limits."""
    with regular.opened(path) as stream:
        head = io.BytesIO(stream.read(_HEADER))
        version = np.lib.format.read_magic(head)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(head)
        if dtype.kind not in NUMBERS or dtype.itemsize > 8:
            raise ValueError(f"expected an array of numbers of at most 64 bits, found {dtype}")
        height, width, channels = size(shape, how.layout)
        allow(height, width, channels, limits)
        claimed = height * width * channels * dtype.itemsize
        there = os.fstat(stream.fileno()).st_size - head.tell()
        if claimed > there:
            raise ValueError(f"claims {claimed:,} bytes of pixels, but holds {there:,}")
        stream.seek(0)
        values = np.load(stream, allow_pickle=False)
    return Pixels(chosen(laid_out(native(values), how.layout), how.bands))
