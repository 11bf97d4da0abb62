"""Which images look otherwise than those of train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tlx.columns import Image
from tlx.prediction.odd_values import OddValues

BYTES: dict[str, Any] = {"dtype": "uint8", "scale": (0.0, 255.0)}
DEEP: dict[str, Any] = {"dtype": "float32", "scale": (0.0, 4095.0)}


@pytest.mark.parametrize(
    ("settings", "dtype", "high", "said"),
    [
        (BYTES, "uint8", 255, ""),
        (BYTES, "int64", 255, ""),
        (BYTES, "float32", 1, "values from 0 to 1: this model takes 0 for black and 255 for white"),
        (BYTES, "uint16", 257, ""),  # less than one per cent of the pixels
        (BYTES, "uint16", 300, "from 0 to 300, up to 15% of its pixels beyond"),
        (DEEP, "uint16", 4095, ""),
        (DEEP, "uint16", 60_000, "up to 93% of its pixels beyond"),
        ({**DEEP, "scale_by": "percentile"}, "uint16", 5000, ""),  # which leaves some beyond
        ({**DEEP, "scale_by": "percentile"}, "uint16", 9000, "up to 54% of its pixels beyond"),
        ({**DEEP, "scale_by": ""}, "uint16", 60_000, ""),  # it was asked for
        ({"dtype": "uint8", "scale_by": "dtype"}, "uint8", 9, ""),
        ({"dtype": "uint8", "scale_by": "dtype"}, "uint16", 65_535, ""),
        ({"dtype": "uint8", "scale_by": "dtype"}, "int64", 255, "and 9.22337e+18 for white of int64"),
        ({"dtype": "float32", "scale_by": "", "window": (40.0, 400.0), "scale": (0.0, 255.0)}, "uint8", 9, ""),
    ],
)
def test_one_image(settings: dict[str, Any], dtype: str, high: int, said: str) -> None:
    odd = OddValues()
    column = Image("image", channels=1, **settings)
    odd.look("image", column, column.read(np.linspace(0, high, 10_000).reshape(100, 100).astype(dtype)))
    lines = odd.lines()
    assert len(lines) == bool(said)
    assert not said or said in lines[0]
