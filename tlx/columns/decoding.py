"""From a file, a picture of PIL's or an array to the pixels that it holds, in the type that they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tlx.columns import formats
from tlx.columns.formats import raster
from tlx.columns.formats.pixels import Array, Pixels, ReadAs, allow, chosen, frame_at, laid_out, native, size
from tlx.columns.formats.window import windowed
from tlx.config.dataset_parts import Limits

DEFAULT = Limits()
PLAIN = ReadAs()


def decode(item: Any, how: ReadAs = PLAIN, limits: Limits = DEFAULT) -> Pixels:
    """Decode an image: [h, w] or [h, w, channels], of whatever type it is; booleans become 0 and 255.

    Args:
        item: A path, an image of PIL's, or an array.
        how: Layout, channels, background and the like.
        limits: Of its pixels; a file over them is not decoded.

    Raises:
        TooLarge: The image is over the limit.
        Exception: Whatever a decoder raises for a file that is not an image.
    """
    if isinstance(item, np.ndarray):
        frame_at(how.frame, 1, 0)
        allow(*size(item.shape, how.layout), limits)
        found = _windowed(Pixels(chosen(laid_out(native(item), how.layout), how.bands)), how)
    elif isinstance(item, Image.Image):
        allow(item.height, item.width, 1, limits)
        found = _windowed(raster.picture(item, how), how)
    else:
        found = formats.read(Path(item), how, limits)
    if found.values.dtype == np.bool_:
        found = Pixels(found.values.astype(np.uint8) * np.uint8(255), found.frames)
    return found


def _windowed(found: Pixels, how: ReadAs) -> Pixels:
    return replace(found, values=windowed(found.values, how.window)) if how.window else found


def array_of(item: Any, limits: Limits = DEFAULT) -> Array:
    """The values of :func:`decode` alone."""
    return decode(item, limits=limits).values
