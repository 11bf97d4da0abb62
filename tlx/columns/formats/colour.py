"""Colours of any depth from what files have instead: inks, palettes, and what is transparent."""

from __future__ import annotations

from typing import Any

import numpy as np

from tlx.columns.formats.pixels import Array


def over(colours: Array, alpha: Array, background: tuple[int, int, int], premultiplied: bool = False) -> Array:
    """Lay what is transparent over a background.

    Args:
        colours: [h, w, 1] or [h, w, 3], of any type: floats lie in 0..1.
        alpha: [h, w] of the same type: 0 is transparent.
        background: Red, green, blue in 0..255.
        premultiplied: Colours are multiplied by alpha already.

    Returns:
        [h, w, 3] of the same type.
    """
    most = _most(colours.dtype)
    opaque = (alpha / most)[:, :, None]
    shown = colours * (1.0 if premultiplied else opaque) + np.array(background) / 255 * most * (1 - opaque)
    return _of_type(shown, colours.dtype)


def of_inks(inks: Array) -> Array:
    """Red, green and blue [h, w, 3] of cyan, magenta, yellow and black [h, w, 4], as PIL makes them of bytes."""
    most = _most(inks.dtype)
    light = most - inks.astype(np.float64)
    return _of_type(light[:, :, :3] * light[:, :, 3:] / most, inks.dtype)


def _most(dtype: np.dtype[Any]) -> float:
    return 1.0 if dtype.kind in "fb" else float(np.iinfo(dtype).max)


def _of_type(values: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "f":
        return values.astype(dtype)
    return values.round().clip(0, _most(dtype)).astype(dtype)
