"""What the values of a field are, and what each becomes before it is kept: the same bytes wherever it came from."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tlx.api.label_lists import is_nothing
from tlx.columns.decoding import array_of
from tlx.columns.number import number
from tlx.columns.number import word as category
from tlx.data.sources.rows import word

_WORDS = 3  # on average, from which on cells are texts and not names of a few categories
_CLASSES = 20  # more are seldom written as floats


def kind_of(values: Sequence[Any], target: bool) -> str:
    """The type of a column, from its values: as ``dataset=tabular`` has it, and images, texts and lists of labels."""
    there = [value for value in values if not is_nothing(value)]
    first = there[0] if there else None
    if is_image(first):
        return "image"
    if target:
        if isinstance(first, Collection) and not isinstance(first, (str, bytes)):
            return "labels"
        return "number" if _is_measured(there) else "label"
    if there and all(math.isfinite(number(value)) for value in there):
        return "number"
    if there and sum(len(str(value).split()) for value in there) >= _WORDS * len(there):
        return "text"
    return "category"


def _is_measured(values: Sequence[Any]) -> bool:
    """Are labels numbers to be predicted: floats that have fractions, or are many?"""
    floats = [float(value) for value in values if isinstance(value, (float, np.floating))]
    if len(floats) < len(values):
        return False
    return len(set(floats)) > _CLASSES or any(not value.is_integer() for value in floats)


def is_image(value: Any) -> bool:
    """Is it a picture of PIL's, an array or a tensor of pixels, or the path of a file?"""
    if isinstance(value, (Image.Image, Path)):
        return True
    return hasattr(value, "__array__") and len(getattr(value, "shape", ())) >= 2


def canonical(value: Any, kind: str) -> tuple[Any, str]:
    """A value of another type than ``labels`` as it is kept, and why it cannot be (else empty)."""
    if kind == "image":
        return _pixels(value)
    if kind == "category":
        return category(None if is_nothing(value) else value), ""
    if is_nothing(value) or (isinstance(value, str) and not value.strip()):
        return None, "is empty"
    if kind == "number":
        found = number(value)
        return found, "" if math.isfinite(found) else f"is not a finite number: {str(value)[:40]!r}"
    if kind == "label":
        return str(word(value)), ""
    return (value, "") if isinstance(value, str) else (None, f"is no text, but a {type(value).__name__}")


def _pixels(value: Any) -> tuple[Any, str]:
    """An array [h, w] or [h, w, c] of bytes, or of floats in 0..255."""
    if not is_image(value):
        return None, f"is no image, but a {type(value).__name__}"
    try:
        pixels = array_of(value) if isinstance(value, (Image.Image, Path)) else np.asarray(value)
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, ...
        return None, f"unreadable image: {type(error).__name__}: {error}"
    if pixels.dtype.kind not in "buif" or pixels.ndim not in (2, 3) or 0 in pixels.shape:
        return None, f"expected an image [h, w] or [h, w, c], found {list(pixels.shape)} of {pixels.dtype}"
    if pixels.ndim == 3 and pixels.shape[2] > 4 and pixels.shape[0] in (1, 3, 4):
        return None, f"has the shape {list(pixels.shape)}: channels come last; give array.transpose(1, 2, 0)"
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8) * np.uint8(255), ""
    low, high = float(pixels.min()), float(pixels.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return None, "holds NaN or infinity"
    if low < 0 or high > 255:
        return None, f"holds values in {low:g}..{high:g}; expected 0..255"
    return pixels.astype(np.uint8 if pixels.dtype.kind in "iu" else np.float32), ""
