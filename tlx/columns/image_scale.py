"""Which values of an image are black and which are white: found from train, and applied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tlx.columns.formats.pixels import Array
from tlx.columns.image_seen import Seen

Range = tuple[float, float]
BYTES: Range = (0.0, 255.0)
_PERCENTILES = (1, 99)
_FILLED = 0.25  # of a range of whole bits, for it to be taken
_LEAST_WHITE = 64  # a highest float from here to 255 is taken to mean that 255 is white


def is_of_bytes(dtype: str) -> bool:
    """Are values of this type bytes, of which nothing is lost in 0..255?"""
    return dtype == "uint8"


def of_type(dtype: np.dtype[Any]) -> Range:
    """The ends of a type; floats are taken to lie in 0..1."""
    if dtype.kind == "f":
        return (0.0, 1.0)
    found = np.iinfo(dtype)
    return (float(found.min), float(found.max))


def range_of(seen: Seen) -> Range:
    """Black and white of an image by itself: as its file says, else the ends of its type."""
    if seen.least is not None and seen.most is not None and seen.least < seen.most:
        return (seen.least, seen.most)
    return of_type(np.dtype(seen.dtype))


def by_file(values: Array, said: Range | None) -> Array:
    """Values whose type says what is black and white: floats in 0..1 where a file says more than their type does."""
    if said is None or said == of_type(values.dtype) or said[0] >= said[1]:
        return values
    return ((values.astype(np.float64) - said[0]) / (said[1] - said[0])).astype(np.float32)


def found(seen: Sequence[Seen]) -> Range:
    """The range for values of one type, from what was seen of train.

    What files themselves say is believed where they agree. Whole numbers from 0 on get the fewest bits that hold them,
    floats 0..1 or 0..255 where they lie in these; all others, and those that would fill little of that, the least and
    the highest.
    """
    low, high = min(one.low for one in seen), max(one.high for one in seen)
    usual = _usual(low, high, seen)
    if usual is not None and high - low >= _FILLED * (usual[1] - usual[0]):
        return usual
    return (low, high) if low < high else (low, low + 1)


def _usual(low: float, high: float, seen: Sequence[Seen]) -> Range | None:
    (least, most), *others = {(one.least, one.most) for one in seen}
    if not others and least is not None and most is not None and least <= low <= high <= most and least < most:
        return (least, most)
    if low < 0 or high <= 0:
        return None
    if all(np.dtype(one.dtype).kind in "ui" for one in seen):
        return (0.0, 2.0 ** max(8, math.ceil(math.log2(high + 1))) - 1)
    if high <= 1:
        return (0.0, 1.0)
    return BYTES if _LEAST_WHITE <= high <= 255 else None


def percentiles(values: Array) -> Range:
    """The range in which all but the lowest and the highest per cent lie."""
    low, high = (float(one) for one in np.percentile(values.astype(np.float64), _PERCENTILES))
    return (low, high) if low < high else (low, low + 1)


def scaled(values: Array, known: Range | None, to_bytes: bool) -> Array:
    """Values in 0..255.

    Args:
        values: Of an image.
        known: Which of them are black and white; beyond them they are cut off. None: the ends of their type.
        to_bytes: Round to ``uint8``, else ``float32``.
    """
    low, high = known or of_type(values.dtype)
    if (low, high) == BYTES and values.dtype == np.uint8:
        return values if to_bytes else values.astype(np.float32)
    plain: Array = values.astype(np.float32)
    shown = _stretched(plain, low, high, to_bytes)
    if values.dtype.itemsize > 2 and values.dtype != np.float32:
        # Value by value: the same numbers give the same bits, whatever type they have and whatever is beside them.
        finer = plain != values
        shown[finer] = _stretched(values[finer].astype(np.float64), low, high, to_bytes)
    return shown


def _stretched(values: Array, low: float, high: float, to_bytes: bool) -> Array:
    inside = values if (low, high) == BYTES else (values - low) * (255 / (high - low))
    inside = inside.clip(0, 255)
    return inside.round().astype(np.uint8) if to_bytes else inside.astype(np.float32, copy=False)
