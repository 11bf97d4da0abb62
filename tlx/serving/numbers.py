"""Images that are sent as numbers: which axes they have, which values, and the type that these are taken for."""

from __future__ import annotations

import numpy as np

from tlx.columns import Image
from tlx.columns.formats.pixels import Array

_COLOURS = (1, 3)  # channels that files of pictures have


def channels(column: Image) -> int:
    """Those that are sent; of a model that reads some of them, the fewest that do."""
    if column.bands:
        return max(column.bands) + 1
    return 1 if column.windowed else column.channels


def is_file(column: Image) -> bool:
    """Is an image what files of pictures hold?"""
    return not column.bands and channels(column) in _COLOURS


def axes(column: Image) -> list[str]:
    """What the axes of an image are, in their order, as ``["h", "w", "3"]``."""
    count = channels(column)
    if count == 1 and not column.bands:
        return ["h", "w"]
    of = f"{count} or more" if column.bands else str(count)
    return [of, "h", "w"] if column.layout == "chw" else ["h", "w", of]


def values(column: Image) -> str:
    """What the numbers are."""
    if column.window_of_file:
        return "none: this model takes the window that a DICOM file names, and such files cannot be sent"
    if column.windowed:
        shown = ", ".join(f"[{centre:g}, {width:g}]" for centre, width in column.windows)
        return f"numbers as the files have them, which the model sees through [centre, width]: {shown}"
    if column.scale_by == "dtype":
        return _of_type(column) or "none: each image is taken by its own type, and numbers have none; send files"
    if column.is_of_bytes:
        return "numbers in 0..255"
    return f"numbers; {column.scale[0]:g} is black, {column.scale[1]:g} white"


def _of_type(column: Image) -> str:
    kind = _stored(column)
    if not kind:
        return ""
    if kind.startswith("float"):
        return "numbers; 0 is black, 1 white"
    ends = np.iinfo(kind)
    return f"whole numbers in {ends.min}..{ends.max}, as those of {kind}"


def _stored(column: Image) -> str:
    """The type that numbers are taken for where each image is taken by its own; empty: nobody knows."""
    return column.stored or ("uint8" if column.dtype == "uint8" else "")


def typed(column: Image, found: Array) -> Array | None:
    """Numbers in the type that the model takes them by.

    Args:
        column: Of the model.
        found: As they were sent, finite.

    Returns:
        The same numbers; None where they are none that the model takes.
    """
    if column.window_of_file:
        return None
    if column.scale_by == "dtype":
        kind = _stored(column)
        return found.astype(kind) if kind and _holds(np.dtype(kind), found) else None
    if not column.is_of_bytes:
        return found
    if not ((found >= 0) & (found <= 255)).all():
        return None
    return found.astype(np.uint8) if found.dtype.kind in "iu" else found


def _holds(kind: np.dtype[np.generic], found: Array) -> bool:
    """Can a type have these numbers?"""
    if kind.kind == "f":
        return True
    ends = np.iinfo(str(kind))
    return bool((found >= ends.min).all() and (found <= ends.max).all() and (found == np.round(found)).all())
