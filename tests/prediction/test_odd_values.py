"""Which images look otherwise than those of train."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tlx.columns import Image
from tlx.columns.image_seen import Seen
from tlx.config.dataset_parts import Limits
from tlx.prediction.images import looked_at
from tlx.prediction.odd_values import OddValues

BYTES: dict[str, Any] = {"dtype": "uint8", "scale": (0.0, 255.0)}
DEEP: dict[str, Any] = {"dtype": "float32", "scale": (0.0, 4095.0)}
TYPED: dict[str, Any] = {"dtype": "uint8", "scale_by": "dtype"}
WINDOW: dict[str, Any] = {"dtype": "float32", "scale_by": "", "window": (40.0, 400.0), "scale": (0.0, 255.0)}


def told(settings: dict[str, Any], values: Any, count: int = 1) -> list[str]:
    """What is said of so many images alike."""
    odd, column = OddValues(), Image("image", channels=1, **settings)
    for _ in range(count):
        odd.look(column, looked_at(column, values, Limits())[1])
    lines = odd.lines()
    seen = looked_at(column, values, Limits())[1]
    for split in ("all", "train"):  # whatever they are called, they are not those that trained
        assert lines == column.notes_of_others([values], {split: np.arange(count)}, dict.fromkeys(range(count), seen))
    return lines


@pytest.mark.parametrize(
    ("settings", "dtype", "high", "said"),
    [
        (BYTES, "uint8", 255, ""),
        (BYTES, "uint8", 9, ""),
        (BYTES, "int64", 255, ""),
        (BYTES, "float32", 1, "values from 0 to 1: this model takes 0 for black and 255 for white"),
        (DEEP, "uint16", 4095, ""),
        (DEEP, "uint8", 255, ""),
        (DEEP, "uint8", 50, "values from 0 to 50: this model takes 0 for black and 4095 for white"),
        (DEEP, "uint16", 60_000, "values from 0 to 60000, cut off"),
        ({**DEEP, "scale_by": "percentile"}, "uint16", 5000, ""),  # which leaves some beyond
        ({**DEEP, "scale_by": "percentile"}, "uint16", 9000, "values from 0 to 9000, cut off"),
        ({**DEEP, "scale_by": ""}, "uint16", 60_000, ""),  # it was asked for
        (TYPED, "uint8", 9, ""),
        (TYPED, "uint16", 65_535, ""),
        (TYPED, "uint16", 255, "values from 0 to 255: this model takes 0 for black and 65535 for white of uint16"),
        (TYPED, "int64", 255, ""),
        (WINDOW, "uint8", 9, ""),
        (WINDOW, "float64", 1, "(through the model's window)"),
        (BYTES, "uint8", 0, "an image of one value throughout"),
    ],
)
def test_one_image(settings: dict[str, Any], dtype: str, high: int, said: str) -> None:
    lines = told(settings, np.linspace(0, high, 10_000).reshape(100, 100).astype(dtype))
    assert len(lines) == bool(said)
    assert not said or said in lines[0]


def test_many_that_fill_little_together_are_told() -> None:
    eighth = np.linspace(0, 255, 100).reshape(10, 10).astype(np.uint16)
    assert not told(DEEP, eighth, 7)
    assert "8 of 8 images have values from 0 to 255" in told(DEEP, eighth, 8)[0]


def test_colours_are_told_of_a_model_of_grey() -> None:
    values = np.zeros((4, 5, 3), np.uint8)
    values[0, 0, 1] = 200
    assert "colours, which are read as grey" in told(BYTES, values)[0]


def test_what_a_file_says_of_its_range_is_known() -> None:
    """Twelve bits of a file in a model that takes each image by its own type."""
    seen = Seen(4, 5, 1, "uint16", 0, 100)
    for one, count in ((seen, 1), (replace(seen, least=0, most=4095), 0)):
        odd = OddValues()
        odd.look(Image("image", channels=1, **TYPED), one)
        assert len(odd.lines()) == count
