"""Images that come as numbers: which axes they have, which values, and the type that these are taken for.

Numbers have a type where they are those of a file, as ``uint16``; those of JSON and Python, and what NumPy makes of
them, are of 32 or 64 bits whatever they stand for.
"""

from __future__ import annotations

import numpy as np

from tlx.columns.formats.pixels import Array
from tlx.columns.image import Image
from tlx.columns.image_scale import BYTES

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
    """What the numbers are; of a model that takes none, ``none`` and why."""
    if fault := refusal(column):
        return f"none: {fault}"
    if column.windowed:
        shown = ", ".join(f"[{centre:g}, {width:g}]" for centre, width in column.windows)
        return f"numbers as the files have them, which the model sees through [centre, width]: {shown}"
    if column.scale_by == "dtype":
        return _of_type(column)
    ends = f"{column.scale[0]:g} is black, {column.scale[1]:g} white" if column.scale else ""
    if _are_bytes(column):
        return f"numbers in 0..255; {ends}" if column.scale not in ((), BYTES) else "numbers in 0..255"
    return f"numbers; {ends}"


def refusal(column: Image) -> str:
    """Why the images of a column cannot be sent as numbers; empty where they can."""
    if column.scale_by == "dtype" and not _stored(column):
        return "each image is taken by its own type, and numbers have none"
    return _of_files(column)


def unserved(column: Image) -> str:
    """Why neither files of pictures nor numbers can be sent of a column; empty where one of them can."""
    if column.window_of_file:
        return "this model takes the window that a DICOM file names, and such files cannot be sent: it cannot be served"
    if not is_file(column) and (fault := refusal(column)):
        return f"{fault}; files of {channels(column)} channels cannot be sent either: it cannot be served"
    return ""


def _of_files(column: Image) -> str:
    """What is read of files alone."""
    if column.window_of_file:
        return "this model takes the window that a DICOM file names, and numbers name none"
    if column.frame > 0:
        return f"this model reads frame {column.frame} of a file, and numbers are one image"
    return ""


def _of_type(column: Image) -> str:
    kind = _stored(column)
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
    if refusal(column):
        return None
    if column.windowed:
        return found
    if column.scale_by == "dtype":
        kind = _stored(column)
        return found.astype(kind) if _holds(np.dtype(kind), found) else None
    if not _are_bytes(column):
        return found
    if not ((found >= 0) & (found <= 255)).all():
        return None
    return found.astype(np.uint8) if found.dtype.kind in "iu" else found


def typed_array(column: Image, found: Array) -> Array | None:
    """An array in the type that the model takes it by; None where it is none that the model takes.

    As :func:`typed`, but an array of up to 16 bits or of ``float32`` has a type, where each image is taken by its own.
    """
    if column.scale_by == "dtype" and not _of_files(column) and _has_type(found.dtype):
        return found
    return typed(column, found)


def stands_for(column: Image, dtype: str) -> str:
    """The type whose values numbers that are taken have: of a model of bytes they are bytes, if in floats."""
    return "uint8" if _are_bytes(column) else dtype


def _are_bytes(column: Image) -> bool:
    """Have the images of train bytes, and were black and white learned of these?"""
    return column.dtype == "uint8" and column.scale_by in ("auto", "percentile") and not column.windowed


def _has_type(dtype: np.dtype[np.generic]) -> bool:
    return dtype.itemsize <= 2 or dtype == np.float32


def _holds(kind: np.dtype[np.generic], found: Array) -> bool:
    """Can a type have these numbers?"""
    if kind.kind == "f":
        return True
    ends = np.iinfo(str(kind))
    return bool((found >= ends.min).all() and (found <= ends.max).all() and (found == np.round(found)).all())
