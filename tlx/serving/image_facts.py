"""What a bundle says of how images are read, held to what a configuration may say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from tlx.columns import Image
from tlx.columns.image_faults import MOST_CHANNELS
from tlx.columns.image_scale import BYTES
from tlx.config import band_files, image_values
from tlx.config.errors import ConfigIssue
from tlx.config.fields import CHOICES
from tlx.config.image_values import ImageValues

_STORED = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
_LAYOUTS: tuple[str, ...] = next(one.metadata[CHOICES] for one in fields(ImageValues) if one.name == "layout")
_WORDS = {
    "dtype": ("", "uint8", "float32"),  # the empty one of runs that were trained before
    "stored": ("", *_STORED),
    "layout": _LAYOUTS,
    "scale_by": ("", *image_values.SCALES),
    "statistics": ("train", "backbone"),
}
_LONGEST = 60  # letters of a value that a message shows


def fault(column: Image) -> str:
    """Why images are read in no way that tlx writes; empty where they are."""
    problem = next(_problems(column), None)
    if problem is None:
        return ""
    return f"{problem.key} of {column.name!r:.60}: {problem.message}, found {_shown(problem.value)}"


def _problems(column: Image) -> Iterator[ConfigIssue]:
    if not 1 <= column.channels <= MOST_CHANNELS:
        yield ConfigIssue("channels", f"expected 1 to {MOST_CHANNELS:,} channels", column.channels)
    for name, words in _WORDS.items():
        if (found := getattr(column, name)) not in words:
            expected = ", ".join(word or "nothing" for word in words)
            yield ConfigIssue(name, f"expected one of {expected}", found)
    if len(column.window) % 2:
        yield ConfigIssue("window", "expected centre and width of each window", list(column.window))
    elif column.window and column.window_of_file:
        yield ConfigIssue("window", "expected windows, or that of the file", list(column.window))
    elif column.windowed and (column.scale != BYTES or column.scale_by):
        yield ConfigIssue("scale", "expected [0, 255], which are the ends of a window", list(column.scale))
    ends = column.scale or (0.0, 1.0)
    if len(ends) != 2 or not -math.inf < ends[0] < ends[1] < math.inf:
        yield ConfigIssue("scale", "expected black below white", list(column.scale))
    if not column.scale and not column.scale_by:
        yield ConfigIssue("scale", "expected black and white, or how they are found (scale_by)", list(column.scale))
    if column.frame < -1:
        yield ConfigIssue("frame", "expected -1 or more", column.frame)
    for issue in image_values.issues(_asked(column), ""):
        yield ConfigIssue(issue.key.removeprefix("."), issue.message, issue.value)
    if column.band_files:
        yield from band_files.issues(column.band_files, "band_files")
    for name in ("mean", "std"):
        found = getattr(column, name)
        least = 0 if name == "std" else -math.inf
        if len(found) not in (0, column.channels) or not all(least < one < math.inf for one in found):
            what = "numbers above zero" if name == "std" else "numbers"
            yield ConfigIssue(name, f"expected none, or {column.channels} {what}", list(found))


def _asked(column: Image) -> ImageValues:
    """The options that a column is read by, but for the scale, which is a column's own."""
    window: Any = [list(one) for one in column.windows] or None
    return ImageValues(
        window="file" if column.window_of_file else window,
        layout=column.layout,
        bands=list(column.bands),
        background=list(column.background),
    )


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
