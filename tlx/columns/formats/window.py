"""Windows of radiology: a range of values is stretched to 0..255, what lies beyond is cut off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlx.columns.formats.pixels import Array

BYTES = (0.0, 255.0)  # what values are within a window


def windowed(values: Array, windows: Sequence[tuple[float, float]], curve: str = "linear") -> Array:
    """The function of DICOM for each window.

    Args:
        values: [h, w], or [h, w, 1].
        windows: (centre, width) of each; at least one.
        curve: ``linear`` (PS3.3 C.11.2.1.2.1), ``linear_exact`` (C.11.2.1.3.2) or ``sigmoid`` (C.11.2.1.3.1).

    Returns:
        ``float32`` in 0..255: [h, w] of one window, [h, w, windows] of several.

    Raises:
        ValueError: There are several channels, or a width is one for which the function is not defined.
    """
    require_one(values)
    grey = values if values.ndim == 2 else values[:, :, 0]
    found = [_one(grey.astype(np.float64), centre, width, curve) for centre, width in windows]
    return found[0] if len(found) == 1 else np.stack(found, axis=2)


def require_one(values: Array) -> None:
    """Raise :class:`ValueError` for an image of several channels, as a window is for one."""
    if values.ndim == 3 and values.shape[2] != 1:
        raise ValueError(f"dataset.window is for one channel, there are {values.shape[2]}: dataset.bands picks one")


def is_defined(width: float, curve: str) -> bool:
    """Is the function defined for a window of this width?"""
    return width >= 1 if curve == "linear" else width > 0


def _one(values: Array, centre: float, width: float, curve: str) -> Array:
    shown: Array
    if not is_defined(width, curve):
        least = "at least 1" if curve == "linear" else "a number above zero"
        raise ValueError(f"dataset.window: a width of {width:g}; expected {least}")
    if curve == "sigmoid":
        shown = 255 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
        return shown.astype(np.float32)
    if curve == "linear_exact":
        shown = ((values - centre) / width + 0.5) * 255
        return shown.clip(0, 255).astype(np.float32)
    if width == 1:  # the slope is infinite: black up to centre - 1/2, white above
        return np.where(values <= centre - 0.5, 0, 255).astype(np.float32)
    shown = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return shown.clip(0, 255).astype(np.float32)
