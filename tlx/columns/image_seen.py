"""What is seen of an image when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.columns.formats.pixels import Array, Pixels

_ROWS = 16  # one of so many tells whether most images have colours


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of an image when it was looked at.

    Args:
        height, width, channels: Of it.
        dtype: Of its values, as the file has them.
        low, high: The least and the highest of them.
        frames: In its file.
        least, most: What the file says its values can be; None: nothing.
        colours: Its three channels are not the same, as they are of grey over a background.
    """

    height: int
    width: int
    channels: int
    dtype: str
    low: float
    high: float
    frames: int = 1
    least: float | None = None
    most: float | None = None
    colours: bool = False


def seen(found: Pixels) -> Seen:
    """What is seen of a decoded image."""
    pixels = found.values
    height, width = pixels.shape[:2]
    least, most = found.range or (None, None)
    low, high = float(pixels.min()), float(pixels.max())
    kind, channels, colours = str(pixels.dtype), channels_of(pixels), _has_colours(pixels)
    return Seen(height, width, channels, kind, low, high, found.frames, least, most, colours)


def channels_of(pixels: Array) -> int:
    """Channels of pixels [h, w] or [h, w, channels]."""
    return 1 if pixels.ndim == 2 else int(pixels.shape[2])


def _has_colours(pixels: Array) -> bool:
    """Have three channels different values somewhere?"""
    if channels_of(pixels) != 3:
        return False
    return any(bool((one[..., 1:] != one[..., :1]).any()) for one in (pixels[::_ROWS], pixels))
