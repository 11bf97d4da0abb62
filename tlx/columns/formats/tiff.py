"""TIFF files: pictures by PIL; more bands, deeper colours, other numbers by tifffile."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np

from tlx.columns.formats import colour, raster
from tlx.columns.formats.pixels import Array, NotInstalled, Pixels, ReadAs, allow, chosen, frame_at, native, upright
from tlx.columns.formats.tiff_header import NotTiff, Page, pages
from tlx.config.dataset_parts import Limits
from tlx.files import regular

_EXTRA = "pip install 'tlx[satellite]'"
_BY_PIL = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32809, 32946, 34925, 50000, 50001}  # compressions
# Those of tifffile whose output is as long as it has to be, whatever they hold; a picture in a file may be of any size.
_BY_TIFFFILE = {1: "none", 5: "LZW", 8: "deflate", 32773: "PackBits", 32946: "deflate", 34925: "LZMA"}
_BY_TIFFFILE |= {50000: "Zstandard"}
_NOT_READ = {6: "JPEG", 7: "JPEG", 34712: "JPEG 2000", 34887: "LERC", 34933: "PNG", 50001: "WebP", 50002: "JPEG XL"}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _COLOURS, _PALETTE = 0, 1, 2, 3  # photometric
_UNSIGNED, _SIGNED = 1, 2  # kinds of numbers
_PREMULTIPLIED, _ALPHA = 1, 2  # kinds of extra samples
_WHOLE = (1, 8, 16, 32, 64)  # bits that fill a type, or are booleans

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # it tells every oddity to standard error otherwise


def read(path: Path, how: ReadAs, limits: Limits) -> Pixels:
    """The page that is asked for, else the first one, upright; smaller copies and masks are no pages.

    What PIL reads right it reads, whether tifffile is there or not, so that the same file always has the same values.
    """
    with regular.opened(path) as stream:
        try:
            found = pages(stream)
        except NotTiff:  # PIL knows what else it may be
            return raster.read(path, how, limits)
        page = found[frame_at(how.frame, len(found), 0)]
        allow(page.height, page.width, page.samples, limits)
        span = (0.0, 2.0**page.bits - 1) if page.kind == _UNSIGNED and page.bits not in _WHOLE else None
        if _is_picture(page):
            values = raster.read(path, replace(how, frame=page.index), limits).values
            exact = values.astype(np.int16) if (page.bits, page.kind) == (16, _SIGNED) else values  # PIL has no such
            return Pixels(exact, len(found), span if page.bits > 8 else None)  # it stretches fewer bits to 0..255
        allow(*page.block, 1 if page.planar else page.samples, limits)
        page.look(os.fstat(stream.fileno()).st_size)
        values = upright(_shown(*_decoded(stream, page), page, how), page.orientation)
    return Pixels(chosen(np.ascontiguousarray(values), how.bands), len(found), span)


def _is_picture(page: Page) -> bool:
    """Does PIL read a page right: all channels, at full depth?"""
    if page.compression not in _BY_PIL or (page.fill != 1 and page.bits != 1) or (page.big and page.order == ">"):
        return False
    alpha = len(page.extra) == 1 and page.extra[0] in (_PREMULTIPLIED, _ALPHA)
    grey, pair = page.samples == 1, page.samples == 2 and alpha and page.bits == 8 and not page.planar
    match page.photometric, page.bits, page.kind:
        case (0 | 1, 1 | 2 | 4 | 8, 1):
            return grey or (page.photometric == _BLACK_IS_ZERO and pair)
        case (1, 16, 1):
            return grey
        case (1, 16, 2) | (1, 32, 2 | 3):
            return grey and (page.order == "<" or page.compression == 1)  # else its bytes stay swapped
        case (1, 12, 1):
            return grey and page.order == "<" and page.compression == 1
        case (2, 8, 1):
            plain = page.extra != (_PREMULTIPLIED,) or not page.planar
            return page.samples == 3 or (page.samples == 4 and (alpha or not page.extra) and plain)
        case (3, 1 | 2 | 4 | 8, 1):
            return grey or pair
        case (5, 8, 1):
            return page.samples == 4
        case (6 | 8, 8, 1):
            return page.samples == 3
    return False


def _decoded(stream: IO[bytes], page: Page) -> tuple[Array, Array | None]:
    """The samples of a page as they are stored, [h, w] or [h, w, samples], and its palette [3, colours]."""
    what = f"{page.samples} channels of {page.bits} bits"
    if page.compression not in _BY_TIFFFILE:
        code = _NOT_READ.get(page.compression, f"of code {page.compression}")
        known = ", ".join(sorted(set(_BY_TIFFFILE.values())))
        raise ValueError(f"compression {code} of {what} is not read; expected one of {known}")
    packed = page.compression != 1 or page.bits not in (8, 16, 32, 64) or page.fill != 1
    needed = ("tifffile", "imagecodecs") if packed else ("tifffile",)
    if missing := [package for package in needed if find_spec(package) is None]:
        what += f", compression {_BY_TIFFFILE[page.compression]}"
        raise NotInstalled(f"TIFF files like this one ({what}) are read by {' and '.join(missing)}: {_EXTRA}")
    import tifffile

    stream.seek(0)
    with tifffile.TiffFile(stream, name="stream") as file:
        found = file.pages[page.index]
        values = native(found.asarray(maxworkers=1))
        palette = found.colormap if page.photometric == _PALETTE else None
    if page.planar:
        values = np.moveaxis(values, 0, -1)
    if values.shape != (page.height, page.width, *((page.samples,) if values.ndim == 3 else ())):
        raise ValueError(f"expected {page.height} x {page.width} pixels of {page.samples}, found {list(values.shape)}")
    return values, palette


def _shown(values: Array, palette: Array | None, page: Page, how: ReadAs) -> Array:
    """Values as they are meant: black is zero, inks and palettes are colours, what is transparent is laid over."""
    match page.photometric:
        case 3 if palette is not None and values.ndim == 2 and int(values.max()) < palette.shape[1]:
            return (np.asarray(palette).T[values] >> 8).astype(np.uint8)
        case 5 if page.samples == 4 and page.kind == _UNSIGNED and page.bits in _WHOLE:
            return colour.of_inks(values)
        case 0 | 1 | 2:
            last = page.extra[0] if len(page.extra) == 1 else 0
            colours = 3 if page.photometric == _COLOURS else 1
            clear = last in (_PREMULTIPLIED, _ALPHA) and page.samples == colours + 1
            clear = clear and page.kind != _SIGNED and page.bits in _WHOLE
            shown = values[:, :, :-1] if clear else values
            shown = _inverted(shown, page.bits) if page.photometric == _WHITE_IS_ZERO else shown
            return colour.over(shown, values[:, :, -1], how.background, last == _PREMULTIPLIED) if clear else shown
    raise ValueError(
        f"colours of kind {page.photometric} with {page.samples} channels of {page.bits} bits are not read"
    )


def _inverted(values: Array, bits: int) -> Array:
    if values.dtype.kind == "f":
        raise ValueError("white is zero (MinIsWhite), but how much black is cannot be told from floats")
    if values.dtype.kind == "u" and bits < 8 * values.dtype.itemsize:
        return np.asarray(values.dtype.type((1 << bits) - 1) - values)
    return np.invert(values)
