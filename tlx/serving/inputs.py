"""What strangers send to a served model: images and texts. None is believed; all that are wrong are named."""

from __future__ import annotations

import base64
import binascii
import io
import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from PIL import Image

from tlx.columns import Image as Column
from tlx.columns import image_numbers as numbers
from tlx.columns import images
from tlx.columns.formats.pixels import Array, size
from tlx.columns.input_spec import ImageSpec
from tlx.config import dataset_parts
from tlx.files.printable import printable
from tlx.prediction.refused import InvalidInput as InvalidInput
from tlx.serving.limits import Limits

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "GIF": ".gif", "TIFF": ".tif", "WEBP": ".webp"}
_FORMATS = tuple(_SUFFIXES)
_OF_BYTES = Column("image", dtype="uint8")
_TILE = (322, 323)  # TIFF: width and height of a tile, which is read whole, however small the picture is
_NAMED = 10  # rows that a refusal names
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Picture:
    """A picture that was looked at, and not decoded: a file's bytes, or an array as it was sent."""

    content: bytes | Array
    pixels: int  # sent or resized, whichever are more

    @property
    def is_file(self) -> bool:
        """Was it sent as a file?"""
        return isinstance(self.content, bytes)


def picture(
    value: Any, limits: Limits | None = None, spec: ImageSpec | None = None, column: Column = _OF_BYTES
) -> Picture:
    """A picture in base64, with or without ``data:image/...;base64,`` before it, or as nested lists.

    Args:
        value: What was sent.
        limits: Null: the defaults.
        spec: What the picture will be resized to.
        column: Of the model: it says which numbers are taken, and which of their axes has the channels.

    Raises:
        InvalidInput: It is no picture, or larger than the limits.
    """
    most = limits or Limits()
    if unfit := numbers.unserved(column):
        raise InvalidInput(unfit)
    if isinstance(value, (list, np.ndarray)):
        array = _array(value, column)
        try:
            height, width, channels = size(array.shape, column.layout_of(array))
        except ValueError as error:  # it cannot be told which axis is which
            raise InvalidInput(str(error)) from None
        return Picture(array, _allowed(width, height, -(-channels // 4), most, spec))
    content = payload(value, most)
    return Picture(content, measured(content, most, spec))


def _array(value: Any, column: Column) -> Array:
    """Pixels from nested lists of numbers, in the type that the model takes them by."""
    if fault := numbers.refusal(column):
        raise InvalidInput(f"expected a file in base64: {fault}")
    shape = "[c][h][w]" if column.layout == "chw" else "[h][w][c]"
    expected = f"expected a picture as nested lists [h][w] or {shape} of {numbers.values(column)}"
    try:
        found = np.asarray(value.tolist() if isinstance(value, np.ndarray) else value)
    except (ValueError, TypeError, OverflowError):  # lists of unequal lengths
        raise InvalidInput(f"{expected}, found lists of unequal lengths") from None
    if found.dtype.kind not in "if" or found.ndim not in (2, 3) or 0 in found.shape:
        raise InvalidInput(f"{expected}, found {list(found.shape)} of {found.dtype.name}")
    typed = numbers.typed(column, found) if np.isfinite(found).all() else None
    if typed is None:
        raise InvalidInput(f"{expected}, found others")
    return typed


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
        tile = math.prod(int(tags.get(tag, 1)) for tag in _TILE) if len(tags) else 0
    if tile > limits.pixels:
        raise InvalidInput(f"{width} x {height} pixels in tiles of {tile:,}; at most {limits.pixels:,} are read")
    return _allowed(width, height, 1, limits, spec)


def _allowed(width: int, height: int, deep: int, limits: Limits, spec: ImageSpec | None) -> int:
    """The pixels of a picture, sent or resized, whichever are more; raises :class:`InvalidInput` over the limit."""
    pixels = width * height * deep
    if pixels > limits.pixels:
        raise InvalidInput(f"{width} x {height} pixels; at most {limits.pixels:,} are read")
    if spec is None:
        return pixels
    resized = resized_pixels(width, height, spec) * deep
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


def drawing(limits: Limits) -> dataset_parts.Limits:
    """The same limits for the code that decodes and resizes."""
    return dataset_parts.Limits(pixels=limits.pixels, resized_pixels=limits.pixels)


def as_file(found: Picture, folder: Path | None) -> Array | Path:
    """A picture that was looked at as a file in a folder, to be read as those that trained; an array as it was sent.

    Args:
        found: It.
        folder: Where to; None will do for an array.

    Raises:
        InvalidInput: It is no picture.
    """
    if isinstance(found.content, np.ndarray):
        return found.content
    assert folder is not None
    with _opened(found.content) as opened:
        suffix = _SUFFIXES["JPEG" if opened.format == "MPO" else str(opened.format)]  # a JPEG with another behind it
    path = folder / f"{uuid4().hex}{suffix}"
    path.write_bytes(found.content)
    return path


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


def columns(names: Sequence[Any], wanted: Sequence[str]) -> None:
    """See that a table has the columns that are wanted, in any order, and no others; raises :class:`InvalidInput`."""
    if len(names) == len(wanted) and set(names) == set(wanted):
        return
    several = f"the columns {_shown(wanted)}" if len(wanted) > 1 else f"one column {wanted[0]!r}"
    raise InvalidInput(f"expected {several}, found {_shown(names)}")


def of_row(row: Mapping[str, Any], one: Callable[[str, Any], Any], wanted: Collection[str]) -> dict[str, Any]:
    """Every value of a row; raises :class:`InvalidInput`, with the column where there are several."""
    found, wrong = {}, []
    for name in wanted:
        try:
            found[name] = one(name, row[name])
        except InvalidInput as reason:
            wrong.append(f"{shortened(name)!r}: {reason}" if len(wanted) > 1 else str(reason))
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more columns" if len(wrong) > _NAMED else ""
        raise InvalidInput("; ".join(wrong[:_NAMED]) + more)
    return found


def _shown(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(shortened(name)) for name in names[:_NAMED]) or "none"
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


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
