"""What a person can say about the values of images: how they are read, and which are black and white."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.fields import option

SCALES = ("auto", "dtype", "percentile")
COLOURS = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128)}
_LARGEST = 1e300


@dataclass
class ImageValues:
    """How the values of images are read; of several image columns each may say otherwise."""

    scale: Any = option(
        "auto",
        "which values are black and white: auto: 0 and 255 of bytes, else from the range of train; dtype: what each "
        "file says, else the ends of its type; percentile: 1 % and 99 % of train; or [low, high]",
        neutral="auto",
    )
    window: Any = option(
        None,
        "[centre, width] of a range of values, as radiology has them; several: [[c, w], ...], a channel each; file: "
        "the first that a DICOM file names itself",
        neutral=None,
    )
    layout: str = option(
        help="of arrays with channels; auto: the axis that is shorter than both others has them",
        choices=("auto", "hwc", "chw"),
        neutral="auto",
    )
    bands: list[int] = option(
        help="channels that are read, from 0 on, in this order; empty: all", factory=list, neutral=[]
    )
    background: Any = option(
        "black", "behind what is transparent: black, white, grey, or [red, green, blue]", neutral="black"
    )
    frame: int | None = option(
        None,
        "which one of a file that holds several; null: the first of an animation, the middle of a volume",
        least=0,
        neutral=None,
    )


@dataclass(frozen=True)
class Settled:
    """The same, checked, each in one form."""

    scale: str | tuple[float, float]
    window: str | tuple[tuple[float, float], ...]
    layout: str
    bands: tuple[int, ...]
    background: tuple[int, int, int]
    frame: int | None


def settled(values: Any, key: str) -> Settled:
    """Check the options.

    Args:
        values: With the fields of :class:`ImageValues`.
        key: Where they stand, such as ``dataset``.

    Raises:
        ConfigError: Some make no sense; it has all of them.
    """
    if problems := list(issues(values, key)):
        raise ConfigError(problems)
    scale, window, background = values.scale, values.window, values.background
    pairs = window if _several(window) else [window] if window is not None else []
    return Settled(
        scale if isinstance(scale, str) else (float(scale[0]), float(scale[1])),
        window if isinstance(window, str) else tuple((float(centre), float(width)) for centre, width in pairs),
        values.layout,
        tuple(values.bands),
        COLOURS[background] if isinstance(background, str) else tuple(background),
        values.frame,
    )


def of_column(dataset: Any, name: str) -> Settled:
    """The options of a column of images: its own where it has some, else those of its data set.

    Raises:
        ConfigError: Some make no sense; it has all of them.
    """
    column = (getattr(dataset, "columns", None) or {}).get(name)
    own = {one.name: getattr(column, one.name, None) for one in fields(ImageValues)}
    key = f"dataset.columns.{name}" if any(value is not None for value in own.values()) else "dataset"
    values = {one: value if value is not None else getattr(dataset, one) for one, value in own.items()}
    return settled(ImageValues(**values), key)


def issues(values: Any, key: str) -> Iterator[ConfigIssue]:
    """What is wrong with the options."""
    scale, window, background = values.scale, values.window, values.background
    if not (scale in SCALES if isinstance(scale, str) else _is_pair(scale) and scale[0] < scale[1]):
        message = f"expected {', '.join(SCALES)}, or [low, high] with low below high"
        yield ConfigIssue(f"{key}.scale", message, scale)
    pairs = window if _several(window) else [window]
    if not (window is None or window == "file" or all(_is_pair(one) and one[1] > 0 for one in pairs)):
        message = "expected file, [centre, width], or several of these; widths are above zero"
        yield ConfigIssue(f"{key}.window", message, window)
    if window is not None and scale != "auto":
        yield ConfigIssue(f"{key}.scale", "a window is a scale: leave one of the two", scale)
    if len(set(values.bands)) < len(values.bands) or any(band < 0 for band in values.bands):
        yield ConfigIssue(f"{key}.bands", "expected different channels, counted from 0", list(values.bands))
    if not (background in COLOURS if isinstance(background, str) else _is_colour(background)):
        message = f"expected {', '.join(COLOURS)}, or [red, green, blue] of 0 to 255"
        yield ConfigIssue(f"{key}.background", message, background)


def _is_number(value: Any) -> bool:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and math.isfinite(value) and abs(value) < _LARGEST


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2 and all(map(_is_number, value))
    )


def _several(window: Any) -> bool:
    listed = isinstance(window, Sequence) and not isinstance(window, str)
    return listed and len(window) > 0 and all(isinstance(one, Sequence) for one in window)


def _is_colour(value: Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3
    return listed and all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= 255 for one in value)
