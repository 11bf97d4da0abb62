"""A plugin of pydicom: JPEGs that PIL does not read (lossless, JPEG-LS, twelve bits), by imagecodecs."""

from __future__ import annotations

import struct
from importlib.util import find_spec
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.pixels import get_decoder

_LOSSLESS = (uid.JPEGLossless, uid.JPEGLosslessSV1)
SYNTAXES = (uid.JPEGExtended12Bit, *_LOSSLESS, *uid.JPEGLSTransferSyntaxes)
DECODER_DEPENDENCIES = dict.fromkeys(SYNTAXES, ("imagecodecs",))  # pydicom asks for it by this name
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers of JPEG that say how large a picture is


def is_available(_: str) -> bool:
    """Is imagecodecs there? Pydicom asks for it by this name."""
    return find_spec("imagecodecs") is not None


def decoded(packed: bytes, runner: Any) -> bytearray:
    """The bytes of a frame.

    Args:
        packed: A picture.
        runner: Of pydicom; it has what the header says, and is told how the bytes lie.

    Raises:
        ValueError: The picture is none, or of another size than the header says.
    """
    import imagecodecs

    if (found := size(packed)) != (runner.rows, runner.columns):
        raise ValueError(f"holds a picture of {found}, where {[runner.rows, runner.columns]} are said")
    if runner.transfer_syntax in _LOSSLESS:
        values = imagecodecs.jpegsof3_decode(packed)
    elif runner.transfer_syntax in uid.JPEGLSTransferSyntaxes:
        if not packed.rstrip(b"\0").endswith(b"\xff\xd9"):  # CharLS would look for the rest for many seconds
            raise ValueError("a picture that is cut off")
        values = imagecodecs.jpegls_decode(packed)
    elif runner.samples_per_pixel == 1:
        values = imagecodecs.jpeg8_decode(packed)
    else:
        raise ValueError("colours of twelve bits are not read")
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * values.itemsize)
    return bytearray(np.ascontiguousarray(values).tobytes())


def size(packed: bytes) -> tuple[int, int]:
    """Height and width of a picture, by its header; raises :class:`ValueError` where it has none."""
    at = 2
    while packed[:2] == b"\xff\xd8" and at + 9 <= len(packed):
        mark, kind, length = struct.unpack_from(">BBH", packed, at)
        if mark != 0xFF or kind == 0xDA:
            break
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", packed, at + 5)
            return height, width
        at += 2 + length
    raise ValueError("no JPEG picture, or one without a size")


def register() -> None:
    """Tell pydicom of it."""
    for syntax in SYNTAXES:
        get_decoder(syntax).add_plugin("imagecodecs", (__name__, "decoded"))
