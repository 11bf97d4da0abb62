"""Pictures that PIL knows. JPEGs are decoded by torchvision where it is loaded: the same bits in 60 % of the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from tlx._compat import image_decoders
from tlx.columns.formats import colour
from tlx.columns.formats.pixels import Array, Pixels, ReadAs, allow, chosen, frame_at, upright
from tlx.config.dataset_parts import Limits
from tlx.files import regular

# What a file may hold, the likely ones first. PIL knows more, and runs Ghostscript for some.
_FORMATS = ["PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "DIB", "JPEG2000", "ICO"]
_FORMATS += ["AVIF"] if find_spec("PIL.AvifImagePlugin") else []
_DEEP = ("I;16", "I;16B", "I;16L", "I", "F")  # PIL's own conversion of these to 8 bits cuts at 255
_ORIENTATION = 0x0112  # the tag of EXIF


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """The picture of a file, upright."""
    # by a stream, as PIL maps a file that it has the name of, and takes a turned grey TIFF for as wide as it is high
    with allowing(limits), regular.opened(path) as stream, Image.open(stream, formats=_FORMATS) as image:
        allow(image.height, image.width, 1, limits)
        if image.format == "JPEG" and image.mode in ("L", "RGB"):
            frame_at(how.frame, 1, 0)
            return Pixels(chosen(_jpeg(path, image), how.bands))
        return picture(image, how)


def picture(image: Image.Image, how: ReadAs) -> Pixels:
    """A picture of PIL's: the frame that is asked for, upright, what is transparent over the background."""
    frames = getattr(image, "n_frames", 1)
    if how.frame is not None:
        image.seek(frame_at(how.frame, frames, 0))
    deep = _deep_png(image, how.background)
    if deep is not None:
        return Pixels(chosen(deep, how.bands), frames)
    image.load()  # which turns a TIFF
    return Pixels(chosen(_upright(_values(image, how.background), image), how.bands), frames)


@contextmanager
def allowing(limits: Limits) -> Iterator[None]:
    """Let PIL decode as many pixels as the limits do, where somebody raised them above PIL's own.

    PIL's limit is of the whole process: it goes back to what it was when the last thread that raised it is done.
    """
    usual = _RAISED.usual if _RAISED.usual is not None else Image.MAX_IMAGE_PIXELS
    if usual is None or limits.pixels <= 2 * usual:  # PIL refuses above twice its number, and warns above it
        yield
        return
    with _RAISED.lock:
        _RAISED.usual, _RAISED.count = usual, _RAISED.count + 1
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, limits.pixels)
    try:
        yield
    finally:
        with _RAISED.lock:
            _RAISED.count -= 1
            if not _RAISED.count:
                Image.MAX_IMAGE_PIXELS, _RAISED.usual = usual, None


@dataclass
class _Raised:
    """Those who have raised PIL's limit, and what it was."""

    lock: Lock = field(default_factory=Lock)
    count: int = 0
    usual: int | None = None


_RAISED = _Raised()


def _values(image: Image.Image, background: tuple[int, int, int]) -> Array:
    if image.mode in _DEEP:
        values = np.asarray(image)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return np.asarray(image.convert("L"))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        plain = image.convert("LA") if image.mode == "La" else image  # PIL converts premultiplied grey to nothing else
        shown = plain.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", shown.size, (*background, 255)), shown)
    return np.asarray(image.convert("RGB"))


def _deep_png(image: Image.Image, background: tuple[int, int, int]) -> Array | None:
    """A PNG of 16 bits whose colours or transparency PIL would lose; None for any other picture, and a loaded one."""
    stream, parts = getattr(image, "fp", None), getattr(image, "tile", ())
    clear = image.info.get("transparency")
    if image.format != "PNG" or stream is None or not parts or not str(parts[0][3]).endswith(";16B"):
        return None
    if image.mode == "I;16" and clear is None:
        return None
    if image.tell():  # of which PIL keeps 8 bits
        raise ValueError(f"of an animation in colours of 16 bits the first frame is read alone, not {image.tell()}")
    values = image_decoders.png(stream)
    most = np.iinfo(values.dtype).max
    if clear is not None:  # the one grey or colour that stands for nothing
        hidden = (values == np.array(clear, dtype=values.dtype)).all(2)
        values = colour.over(values, np.where(hidden, 0, most).astype(values.dtype), background)
    elif values.shape[2] in (2, 4):
        values = colour.over(values[:, :, :-1], values[:, :, -1], background)
    return _upright(values, image)


def _jpeg(path: Path, image: Image.Image) -> Array:
    """Grey [h, w], or colours [h, w, 3]."""
    values = image_decoders.jpeg(path, image.mode == "RGB") if _orientation(image) == 1 else None
    if values is None:
        image.load()
        return _upright(np.asarray(image), image)
    return values


def _orientation(image: Image.Image) -> int:
    """As EXIF says; 1, as it is, where EXIF says nothing that can be understood."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # it raises anything for what is no EXIF, and pictures are shown without it
        return 1
    return int(found) if found in range(1, 9) else 1


def _upright(values: Array, image: Image.Image) -> Array:
    return np.ascontiguousarray(upright(values, _orientation(image)))
