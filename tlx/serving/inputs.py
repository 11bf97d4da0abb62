"""What strangers send to a served model: images in base64, or texts. None is believed; all that are wrong are named."""

from __future__ import annotations

import base64
import binascii
import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from tlx.columns import images
from tlx.columns.input_spec import ImageSpec
from tlx.config import dataset
from tlx.files.printable import printable
from tlx.serving.limits import Limits

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_TILE = (322, 323)  # TIFF: width and height of a tile, which is read whole, however small the picture is
_NAMED = 10  # rows that a refusal names
T = TypeVar("T")
U = TypeVar("U")


class InvalidInput(ValueError):
    """Rows that are no input, each with the reason; the message is for the one who sent them."""


def image(value: Any, limits: Limits | None = None, spec: ImageSpec | None = None) -> images.Array:
    """A picture from base64, with or without ``data:image/...;base64,`` before it.

    Args:
        value: What was sent.
        limits: Null: the defaults.
        spec: What the picture will be resized to.

    Returns:
        Its pixels, [h, w] or [h, w, c].

    Raises:
        Unusable: It is no picture, or larger than the limits.
    """
    content = payload(value, limits or Limits())
    measured(content, limits or Limits(), spec)
    return decoded(content, limits or Limits())


def payload(value: Any, limits: Limits) -> bytes:
    """The bytes of a picture sent in base64; raises :class:`InvalidInput`."""
    if isinstance(value, str):
        value = value.partition(",")[2] if value.startswith("data:") else value
        if len(value) > limits.bytes:
            raise InvalidInput(f"larger than {limits.bytes:,} bytes")
        try:
            value = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInput("not base64") from None
    if not isinstance(value, bytes):
        raise InvalidInput(f"expected an image in base64, found {type(value).__name__}")
    return value


def measured(content: bytes, limits: Limits, spec: ImageSpec | None = None) -> int:
    """The pixels of a picture by its header, sent or resized, whichever are more; raises :class:`InvalidInput`."""
    with _opened(content) as picture:
        width, height = picture.size
        tags = getattr(picture, "tag_v2", {})
        pixels, tile = width * height, math.prod(int(tags.get(tag, 1)) for tag in _TILE)
    if max(pixels, tile) > limits.pixels:
        tiles = f" in tiles of {tile:,}" if tile > pixels else ""
        raise InvalidInput(f"{width} x {height} pixels{tiles}; at most {limits.pixels:,} are read")
    if spec is None:
        return pixels
    resized = resized_pixels(width, height, spec)
    if resized > limits.pixels:
        raise InvalidInput(
            f"{width} x {height} pixels would be {resized:,} when its shorter side is resized; "
            f"at most {limits.pixels:,} are made: crop it"
        )
    return max(pixels, resized)


def resized_pixels(width: int, height: int, spec: ImageSpec) -> int:
    """Pixels of a picture once its shorter side is what the network sees, before the centre crop."""
    tall, wide = images.resized_to(height, width, spec)
    return max(1, tall) * max(1, wide)


def drawing(limits: Limits) -> dataset.Limits:
    """The same limits for the code that decodes and resizes."""
    return dataset.Limits(pixels=limits.pixels, resized_pixels=limits.pixels)


def decoded(content: bytes, limits: Limits) -> images.Array:
    """The pixels of a picture that was :func:`measured`; raises :class:`InvalidInput`."""
    with _opened(content) as picture:
        values = images.decode(picture, drawing(limits))
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InvalidInput("has pixels that are no numbers")
    return values if values.flags.writeable else values.copy()  # torch warns of the others


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, which the limits are for, and of odd metadata
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                yield picture
    except InvalidInput:
        raise
    except Exception as error:  # decoders raise whatever they like on bytes that are no picture
        raise InvalidInput(f"not a picture in {', '.join(_FORMATS)} ({type(error).__name__})") from None


def text(value: Any, limits: Limits | None = None) -> str:
    """A text; raises :class:`InvalidInput`."""
    most = (limits or Limits()).letters
    if not isinstance(value, str):
        raise InvalidInput(f"expected a text, found {type(value).__name__}")
    if len(value) > most:
        raise InvalidInput(f"{len(value):,} letters; at most {most:,} are read")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"holds half a letter at {error.start} (a lone surrogate)") from None
    return value


def column(names: Sequence[Any], wanted: str) -> None:
    """See that a table has the one column that is wanted, and no other; raises :class:`InvalidInput`."""
    if list(names) == [wanted]:
        return
    shown = ", ".join(repr(shortened(name)) for name in names[:_NAMED]) or "none"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    raise InvalidInput(f"expected one column {wanted!r}, found {shown}{more}")


def shortened(word: object, most: int = 60) -> str:
    """A word of a stranger's for a message: without control characters, and not long."""
    found = str(word)
    return printable(found if len(found) <= most else f"{found[:most]}...")


def checked(values: Sequence[T], one: Callable[[T], U]) -> list[U]:
    """All inputs; raises :class:`InvalidInput` with the first rows that are none, and how many more there are."""
    found: list[U] = []
    wrong: list[str] = []
    more = 0
    for row, value in enumerate(values):
        try:
            found.append(one(value))
        except InvalidInput as reason:
            more += len(wrong) == _NAMED
            wrong += [f"row {row}: {reason}"] if len(wrong) < _NAMED else []
    if wrong:
        raise InvalidInput("; ".join(wrong) + (f"; and {more} more" if more else ""))
    return found
