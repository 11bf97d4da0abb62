"""Other images than those of train: which have values that a trained model hardly means, counted and told.

Evaluation, prediction and a served model say the same, from what is seen of each image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tlx.columns.image_scale import BYTES, Range, range_of
from tlx.columns.image_seen import Seen
from tlx.columns.pictures import Pictures

_CONTRAST = 1 / 64  # of black to white: an image that has less was probably meant otherwise
_MANY, _FILLED = 8, 1 / 8  # so many images together have to fill that much of it


@dataclass
class _Values:
    """Of images that are odd in the same way: how many, and the least and the highest value that they hold."""

    count: int = 0
    low: float = math.inf
    high: float = -math.inf

    def add(self, seen: Seen) -> None:
        self.count += 1
        self.low, self.high = min(self.low, seen.low), max(self.high, seen.high)


class Unlike:
    """Counts images of a column that are not like those of train."""

    def __init__(self, column: Pictures) -> None:
        self._column = column
        self._by_ends: dict[tuple[Range, str], _Values] = {}  # all images
        self._strange: dict[tuple[Range, str], _Values] = {}  # those of which nearly nothing is seen
        self._beyond: dict[tuple[Range, str], _Values] = {}  # those of which something is cut off
        self._count = self._coloured = self._flat = self._several = 0
        self._darkest, self._lightest = 1.0, 0.0  # of all, where black is 0 and white 1

    def add(self, seen: Seen) -> None:
        """Take in an image."""
        column = self._column
        black, white = ends = (column.scale[0], column.scale[1]) if column.scale else range_of(seen)
        key = (ends, "" if column.scale else seen.dtype)
        strange = _is_strange(column, seen, ends)
        self._count += 1
        self._coloured += column.channels == 1 and seen.colours
        self._several += seen.frames > 1
        self._flat += seen.low == seen.high and not strange
        self._by_ends.setdefault(key, _Values()).add(seen)
        if strange:
            self._strange.setdefault(key, _Values()).add(seen)
        if _is_cut(column, seen, ends):
            self._beyond.setdefault(key, _Values()).add(seen)
        self._darkest = min(self._darkest, max((seen.low - black) / (white - black), 0.0))
        self._lightest = max(self._lightest, min((seen.high - black) / (white - black), 1.0))

    def lines(self) -> list[str]:
        """What a person should know of them, a line for each oddity."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        if self._coloured:
            yield self._said(self._coloured, "colours, which are read as grey")
        if self._flat:
            yield self._said(self._flat, "one value throughout")
        if self._several:
            yield self._said(self._several, "several frames, of which one is read (dataset.frame)")
        alike = self._count >= _MANY and self._lightest - self._darkest < _FILLED
        strange = self._by_ends if alike else self._strange
        for ends, found in strange.items():
            yield f"{self._said(found.count, self._values(found))}: {_takes(*ends)}; are they in the units of train?"
        for ends, found in self._beyond.items():
            if ends not in strange:
                yield f"{self._said(found.count, self._values(found))}, cut off: {_takes(*ends)}"

    def _said(self, count: int, what: str) -> str:
        """How many images have something."""
        which = f"an image of {what}" if self._count == 1 else f"{count:,} of {self._count:,} images have {what}"
        return f"{self._column.name}: {which}"

    def _values(self, found: _Values) -> str:
        through = " (through the model's window)" if self._column.windowed else ""
        return f"values from {found.low:g} to {found.high:g}{through}"


def _takes(ends: Range, dtype: str) -> str:
    return f"this model takes {ends[0]:g} for black and {ends[1]:g} for white{f' of {dtype}' if dtype else ''}"


def _is_cut(column: Pictures, seen: Seen, ends: Range) -> bool:
    """Are values cut off that should not be? Who gives a scale cuts on purpose, and percentiles do a little."""
    black, white = ends
    more = {"": math.inf, "percentile": white - black}.get(column.scale_by, 0.0)
    return seen.low < black - more or seen.high > white + more


def _is_strange(column: Pictures, seen: Seen, ends: Range) -> bool:
    """Is nearly nothing of an image seen? Where bytes are 0..255 it is the image that is dark, not its units."""
    if seen.dtype == "uint8" and column.scale in ((), BYTES):
        return False
    (black, white), low, high = ends, seen.low, seen.high
    least = _CONTRAST * (white - black)
    return low < high < low + least or black < high < black + least or low > white or high < black
