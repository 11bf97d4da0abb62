"""What strangers send to a served model: images in base64, or texts. None is believed; all that are wrong are named."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from tlx.data import images

BYTES, PIXELS, LETTERS = 20 << 20, 50_000_000, 1_000_000  # the most of one input
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")


class Unusable(ValueError):
    """Rows that are no input, each with the reason."""


def image(value: Any) -> images.Array:
    """A picture from base64, with or without ``data:image/...;base64,`` before it."""
    if isinstance(value, str):
        value = value.partition(",")[2] if value.startswith("data:") else value
        if len(value) > BYTES * 4 // 3 + 4:
            raise Unusable(f"larger than {BYTES >> 20} MB")
        try:
            value = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise Unusable("not base64") from None
    if not isinstance(value, bytes):
        raise Unusable(f"expected an image in base64, found {type(value).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(value), formats=_FORMATS) as picture:
                width, height = picture.size
                if width * height > PIXELS:
                    raise Unusable(f"{width} x {height} pixels; at most {PIXELS:,} are read")
                return images.decode(picture)
    except Unusable:
        raise
    except Exception as error:  # decoders raise whatever they like on bytes that are no picture
        raise Unusable(f"not a picture in {', '.join(_FORMATS)} ({type(error).__name__})") from None


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise Unusable(f"expected a text, found {type(value).__name__}")
    if len(value) > LETTERS:
        raise Unusable(f"longer than {LETTERS:,} letters")
    return value


def checked(values: Sequence[Any], one: Callable[[Any], Any]) -> list[Any]:
    """All inputs; raises :class:`Unusable` with every row that is none."""
    found, wrong = [], []
    for row, value in enumerate(values):
        try:
            found.append(one(value))
        except Unusable as reason:
            wrong.append(f"row {row}: {reason}")
    if wrong:
        raise Unusable("; ".join(wrong))
    return found
