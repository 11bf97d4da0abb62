"""Windows of radiology: a range of values is stretched to 0..255, what lies beyond is cut off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlx.columns.formats.pixels import Array

BYTES = (0.0, 255.0)  # what values are within a window


def windowed(values: Array, windows: Sequence[tuple[float, float]]) -> Array:
    """The linear function of DICOM (PS3.3 C.11.2.1.2.1) for each window.

    Args:
        values: [h, w], or [h, w, 1].
        windows: (centre, width) of each; at least one.

    Returns:
        ``float32`` in 0..255: [h, w] of one window, [h, w, windows] of several.

    Raises:
        ValueError: There are several channels, or a width is below 1, for which the function is not defined.
    """
    if values.ndim == 3 and values.shape[2] != 1:
        raise ValueError(f"dataset.window is for one channel, there are {values.shape[2]}: dataset.bands picks one")
    grey = values if values.ndim == 2 else values[:, :, 0]
    found = [_one(grey.astype(np.float64), centre, width) for centre, width in windows]
    return found[0] if len(found) == 1 else np.stack(found, axis=2)


def _one(values: Array, centre: float, width: float) -> Array:
    if width < 1:
        raise ValueError(f"dataset.window: a width of {width:g}; expected at least 1")
    if width == 1:  # the slope is infinite: black up to centre - 1/2, white above
        return np.where(values <= centre - 0.5, 0, 255).astype(np.float32)
    shown: Array = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return shown.clip(0, 255).astype(np.float32)
