"""Images whose values are not those of train: counted over a call, and said in a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlx.columns import Image
from tlx.columns.formats.pixels import Array
from tlx.columns.image_scale import of_type

_CONTRAST = 1 / 64  # of black to white: what has less was probably meant otherwise
# Of an image's pixels, beyond a scale that was learned; those who give one cut on purpose.
_CUT = {"auto": 0.01, "percentile": 0.25}


@dataclass
class _Found:
    """Of the images that are odd in the same way."""

    count: int
    low: float
    high: float
    cut: float  # the largest share of an image's pixels that lie beyond the scale


class OddValues:
    """Counts images that look otherwise than those of train, as one in 0..1 is nearly black where they are bytes."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], _Found] = {}
        self._count: dict[str, int] = {}

    def look(self, name: str, column: Image, pixels: Array) -> None:
        """Take in a decoded image of a column."""
        self._count[name] = self._count.get(name, 0) + 1
        if pixels.dtype == np.uint8 and (column.is_of_bytes or not column.scale):
            return
        black, white = column.scale or of_type(pixels.dtype)
        low, high = float(pixels.min()), float(pixels.max())
        least = _CONTRAST * (white - black)
        flat = low < high < low + least or black < high < black + least or low > white or high < black
        cut = float(((pixels < black) | (pixels > white)).mean())
        if not flat and cut <= _CUT.get(column.scale_by, 1.0):
            return
        takes = f"{black:g} for black and {white:g} for white{'' if column.scale else f' of {pixels.dtype}'}"
        known = self._found.setdefault((name, takes), _Found(0, low, high, cut))
        known.count += 1
        known.low, known.high, known.cut = min(known.low, low), max(known.high, high), max(known.cut, cut)

    def lines(self) -> list[str]:
        """A line for each column and scale that has some."""
        return [self._line(name, takes, found) for (name, takes), found in self._found.items()]

    def _line(self, name: str, takes: str, found: _Found) -> str:
        whole = self._count[name]
        which = f"{found.count:,} of {whole:,} images ({name!r}) hold" if whole > 1 else "an image of"
        beyond = f", up to {found.cut:.0%} of its pixels beyond" if found.cut else ""
        return f"{which} values from {found.low:g} to {found.high:g}{beyond}: this model takes {takes}"
