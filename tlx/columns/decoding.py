"""From a file or an array to pixels, with limits that are looked at in the header, before anything is decoded."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tlx.config.dataset import Limits
from tlx.files import regular

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".npy"})
DEFAULT = Limits()
# What a file with one of these suffixes may hold, the likely ones first. PIL knows more, and runs Ghostscript for some.
_FORMATS = ["PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "DIB", "JPEG2000", "ICO"]
_FORMATS += ["AVIF"] if find_spec("PIL.AvifImagePlugin") else []
_DEEP = ("I;16", "I;16B", "I;16L", "I")  # PIL's own conversion of these to 8 bits cuts at 255
_LOOK = 64  # files looked at to find the number of channels
_HEADER = 1 << 16  # bytes of a .npy file in which its header ends; numpy itself reads none above 10 000
_NUMBERS = "buif"  # numpy's kinds of booleans, integers and floats
Array = npt.NDArray[Any]


class TooLarge(ValueError):
    """An image is over a limit.

    Attributes:
        found: The image and its size, in words.
        most: The limit, in words.
        setting: The option that holds it.
    """

    def __init__(self, found: str, most: str, setting: str) -> None:
        super().__init__(f"{found}; at most {most} ({setting})")
        self.found, self.most, self.setting = found, most, setting


def decode(item: Any, limits: Limits = DEFAULT) -> Array:
    """Decode an image as ``uint8`` or ``float32`` in 0..255, [h, w] or [h, w, c].

    16-bit images are scaled by 255 / 65535. Transparency is laid over black.

    Args:
        item: A path, an image of PIL's, or an array, which is returned as it is.
        limits: Of its pixels; a file over them is not decoded.

    Raises:
        TooLarge: The image is over the limit.
        Exception: Whatever PIL or numpy raise for a file that is not an image.
    """
    if isinstance(item, np.ndarray):
        return item
    if isinstance(item, Image.Image):
        _allow(item.height, item.width, 1, limits)
        return _pixels(item)
    regular.look(item)
    if os.path.splitext(item)[1].lower() == ".npy":
        return _array(item, limits)
    with allowing(limits), Image.open(item, formats=_FORMATS) as image:
        _allow(image.height, image.width, 1, limits)
        image.load()
        return _pixels(image)


@contextmanager
def allowing(limits: Limits) -> Iterator[None]:
    """Let PIL decode as many pixels as the limits do, where somebody raised them above PIL's own."""
    before = Image.MAX_IMAGE_PIXELS
    if before is None or limits.pixels <= 2 * before:  # PIL refuses above twice its number, and warns above it
        yield
        return
    Image.MAX_IMAGE_PIXELS = limits.pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def over_pixels(height: int, width: int, channels: int, limits: Limits) -> TooLarge | None:
    """Why an image of this size is not decoded; ``None`` where it is."""
    if height * width * -(-channels // 4) <= limits.pixels:
        return None
    deep = f" of {channels} channels" if channels > 4 else ""
    found = f"an image of {width:,} x {height:,} pixels{deep}"
    return TooLarge(found, f"{limits.pixels:,} pixels are decoded", "dataset.limits.pixels")


def _allow(height: int, width: int, channels: int, limits: Limits) -> None:
    if error := over_pixels(height, width, channels, limits):
        raise error


def _pixels(image: Image.Image) -> Array:
    if image.mode in _DEEP:
        values = np.asarray(image).astype(np.float32)
        return values * np.float32(255 / 65535)
    if image.mode == "F":
        return np.asarray(image, dtype=np.float32)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        shown = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shown.size, (0, 0, 0, 255)), shown)
    return np.asarray(image.convert("RGB"))


def _array(path: str | Path, limits: Limits) -> Array:
    """The array of a ``.npy`` file whose header is in order: what it claims is there, and within the limits."""
    with regular.opened(path) as stream:
        head = io.BytesIO(stream.read(_HEADER))
        version = np.lib.format.read_magic(head)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(head)
        if dtype.kind not in _NUMBERS or dtype.itemsize > 8:
            raise ValueError(f"expected an array of numbers of at most 64 bits, found {dtype}")
        if len(shape) not in (2, 3):
            raise ValueError(f"expected an array [h, w] or [h, w, c], found {list(shape)}")
        if min(shape) < 1:
            raise ValueError(f"an image without pixels: {list(shape)}")
        height, width, channels = shape if len(shape) == 3 else (*shape, 1)
        _allow(height, width, channels, limits)
        claimed = height * width * channels * dtype.itemsize
        there = os.fstat(stream.fileno()).st_size - head.tell()
        if claimed > there:
            raise ValueError(f"claims {claimed:,} bytes of pixels, but holds {there:,}")
        stream.seek(0)
        values: Array = np.load(stream, allow_pickle=False)
    values = values.astype(dtype.newbyteorder("="), copy=False)
    return values.astype(np.float32) * np.float32(255 / 65535) if values.dtype == np.uint16 else values


def channels_of(items: Sequence[Any] | Array, limits: Limits = DEFAULT) -> int:
    """Channels of most images, where a grey one counts as colour if there is any colour."""
    found: Counter[int] = Counter()
    for i in range(0, len(items), max(1, len(items) // _LOOK)):
        try:
            values = decode(items[i], limits)
        except Exception:  # decoders raise anything; the pre-flight names such files, this looks at the others
            continue
        found[1 if values.ndim == 2 else values.shape[2]] += 1
    if set(found) == {1, 3}:
        return 3
    return found.most_common(1)[0][0] if found else 3
