"""Why an image that can be read is not of a column: in training, in evaluation, in prediction and served alike."""

from __future__ import annotations

import numpy as np

from tlx.columns import image_scale
from tlx.columns.formats.pixels import Array
from tlx.columns.image_seen import Seen
from tlx.columns.pictures import Pictures

MOST_CHANNELS = 4096  # ten times those of hyperspectral sensors; a network is built as large as a file of columns says


def problem(values: Array) -> str:
    """Why nothing can use an image."""
    if 0 in values.shape:
        return "an image without pixels"
    return "holds NaN or infinity" if values.dtype.kind == "f" and not np.isfinite(values).all() else ""


def fault(column: Pictures, seen: Seen) -> str:
    """Why an image is not of this column, although it can be read; empty where it is."""
    if seen.channels > MOST_CHANNELS:
        return f"has {seen.channels:,} channels, at most {MOST_CHANNELS:,} are read: dataset.bands picks some"
    is_other = column.channels not in (0, seen.channels)
    if is_other and (column.of_bands or {seen.channels, column.channels} != {1, 3}):  # grey stands for colours
        return f"has {seen.channels} channel{'' if seen.channels == 1 else 's'}, expected {column.channels}"
    deep = not image_scale.is_of_bytes(seen.dtype)
    mixed = column.dtype and deep == (column.dtype == "uint8")
    if mixed and column.scale_by in ("auto", "percentile"):
        what = f"holds {seen.dtype} from {seen.low:g} to {seen.high:g}"
        if not column.scale:
            others = "bytes" if deep else "no bytes"
            return f"{what}, the others {others}: dataset.scale=dtype takes each by its own type"
        if deep:  # a scale of bytes that was learned says nothing of them
            return f"{what}, and those of train are bytes: convert it as they were"
    return ""
