"""What a file of pixels gives, how it is asked for, and the limits that are looked at before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tlx.config.dataset_parts import Limits

Array = npt.NDArray[Any]
NUMBERS = "buif"  # numpy's kinds of booleans, integers and floats


@dataclass(frozen=True)
class ReadAs:
    """How files of a column are read.

    Args:
        layout: Of arrays with channels: ``hwc``, ``chw``, or ``auto``: the axis that is shorter than both others.
        bands: Which channels, from 0 on, in this order; empty: all.
        window: (centre, width) of a range of values, as radiology has them; several: a channel each; empty: none.
        background: What lies behind what is transparent, in 0..255: red, green, blue.
        frame: Which one, where a file holds several; None: the first of an animation, the middle of a volume.
        curve: Of the windows: ``linear``, ``linear_exact`` or ``sigmoid``, as files of radiology may name it.
    """

    layout: str = "auto"
    bands: tuple[int, ...] = ()
    window: tuple[tuple[float, float], ...] = ()
    background: tuple[int, int, int] = (0, 0, 0)
    frame: int | None = None
    curve: str = "linear"


@dataclass(frozen=True)
class Pixels:
    """A decoded image.

    Args:
        values: [h, w] or [h, w, channels], of the file's own type (integers, floats, booleans) in native byte order.
        frames: That the file holds; one of them was read.
        range: The least and the most that a value can be, where the file says so, such as 0..4095 of twelve bits.
    """

    values: Array
    frames: int = 1
    range: tuple[float, float] | None = None


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


class NotInstalled(ValueError):
    """A package that reads these files is not there."""


def over_pixels(height: int, width: int, channels: int, limits: Limits) -> TooLarge | None:
    """Why an image of this size is not decoded; ``None`` where it is."""
    if height * width * -(-channels // 4) <= limits.pixels:
        return None
    deep = f" of {channels} channels" if channels > 4 else ""
    found = f"an image of {width:,} x {height:,} pixels{deep}"
    return TooLarge(found, f"{limits.pixels:,} pixels are decoded", "dataset.limits.pixels")


def allow(height: int, width: int, channels: int, limits: Limits) -> None:
    """Raise :class:`TooLarge` for an image that is not to be decoded."""
    if error := over_pixels(height, width, channels, limits):
        raise error


def native(values: Array) -> Array:
    """The same in the machine's byte order; raises :class:`ValueError` for what are no numbers of at most 64 bits."""
    if values.dtype.kind not in NUMBERS or values.dtype.itemsize > 8:
        raise ValueError(f"expected an array of numbers of at most 64 bits, found {values.dtype}")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def axes(shape: Sequence[int], layout: str) -> str:
    """What the axes of an array are: ``hw``, ``hwc`` or ``chw``.

    Raises:
        ValueError: It cannot be told, or there are other axes or no pixels.
    """
    if len(shape) not in (2, 3):
        raise ValueError(f"expected an array [h, w] or [h, w, c], found {list(shape)}")
    if min(shape) < 1:
        raise ValueError(f"an image without pixels: {list(shape)}")
    if len(shape) == 2:
        return "hw"
    first, middle, last = shape
    if layout != "auto":
        return layout
    if last < min(first, middle):
        return "hwc"
    if first < min(middle, last):
        return "chw"
    raise ValueError(f"which axis of {list(shape)} has the channels? dataset.layout=hwc or dataset.layout=chw says so")


def size(shape: Sequence[int], layout: str) -> tuple[int, int, int]:
    """Height, width and channels of an array; raises :class:`ValueError` as :func:`axes` does."""
    known = dict(zip(axes(shape, layout), shape, strict=True))
    return known["h"], known["w"], known.get("c", 1)


def laid_out(values: Array, layout: str) -> Array:
    """The array as [h, w] or [h, w, channels]; raises :class:`ValueError` as :func:`axes` does."""
    return np.moveaxis(values, 0, 2) if axes(values.shape, layout) == "chw" else values


def chosen(values: Array, bands: Sequence[int]) -> Array:
    """The bands that are wanted, in their order; raises :class:`ValueError` for one that is not there."""
    if not bands:
        return values
    there = values[:, :, None] if values.ndim == 2 else values
    if not all(-there.shape[2] <= band < there.shape[2] for band in bands):
        raise ValueError(f"dataset.bands={list(bands)}: there are {there.shape[2]} channels, counted from 0")
    return there[:, :, list(bands)]


def frame_at(frame: int | None, frames: int, otherwise: int) -> int:
    """Which frame is read.

    Args:
        frame: That was asked for; None: none.
        frames: That there are.
        otherwise: The one that is read where none was asked for.

    Raises:
        ValueError: It is not there.
    """
    if frame is None:
        return otherwise
    if not 0 <= frame < frames:
        there = "there is one frame, 0" if frames == 1 else f"there are {frames} frames, counted from 0"
        raise ValueError(f"dataset.frame={frame}: {there}")
    return frame


def upright(values: Array, orientation: int) -> Array:
    """Turned and mirrored as the tag of EXIF says."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values
