"""What metadata say of pixels, done by numpy, gives what images are decoded and scaled to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.columns.formats.dicom_files import made
from tlx.columns import Image
from tlx.serving import inputs, preprocessing
from tlx.serving.inputs import InvalidInput

Array = npt.NDArray[Any]
SIGNED = np.arange(-40, 40, dtype=np.int16).reshape(8, 10)
WINDOW: dict[str, Any] = {"dtype": "float32", "scale": (0.0, 255.0), "scale_by": ""}


def by_hand(said: str, **known: Any) -> Array:
    """What a formula gives, cut off to 0..255."""
    found: Array = eval(said, {"exp": np.exp}, known)
    return found.clip(0, 255)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("curve", ["", "LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_window_of_a_file_is_told_by_its_function(folder: Path, curve: str, photometric: str) -> None:
    named: dict[str, Any] = {"VOILUTFunction": curve} if curve else {}
    elements: dict[str, Any] = {"WindowCenter": 5, "WindowWidth": 30, "PhotometricInterpretation": photometric}
    file = made(folder / "x.dcm", SIGNED, **elements, **named)
    column = Image("image", channels=1, window_of_file=True, **WINDOW)
    told = preprocessing.pixel(column)
    expected = by_hand(told["functions"][curve or "LINEAR"], value=SIGNED.astype(float), centre=5, width=30)
    expected = 255 - expected if photometric == "MONOCHROME1" else expected
    np.testing.assert_allclose(column.scaled(column.read(file)), expected, atol=1e-4)
    assert "255 minus" in told["then"]


def test_a_window_that_is_given_is_linear_whatever_the_file_names(folder: Path) -> None:
    file = made(folder / "x.dcm", SIGNED, WindowCenter=5, WindowWidth=30, VOILUTFunction="SIGMOID")
    for width in (1, 30):
        column = Image("image", channels=1, window=(2, width), **WINDOW)
        told = preprocessing.pixel(column)
        expected = np.where(SIGNED <= 1.5, 0, 255)
        if width > 1:
            expected = by_hand(told["of"], value=SIGNED.astype(float), centre=2, width=width)
        np.testing.assert_allclose(column.scaled(column.read(file)), expected, atol=1e-4)
        assert "width 1 is 0 up to centre - 0.5 and 255 above" in told["then"]


def test_the_range_that_a_file_says_is_told(folder: Path) -> None:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 60
    file = made(folder / "x.dcm", values, bits=12)
    column = Image("image", channels=1, dtype="float32", scale_by="dtype")
    told = preprocessing.pixel(column)
    assert "what a file says (its bits" in told["ends"]
    np.testing.assert_allclose(
        column.scaled(column.read(file)), by_hand(told["of"], value=values, black=0, white=4095), atol=1e-3
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ""),
        ({"background": (255, 255, 255)}, "background: [255, 255, 255]"),
        ({"frame": 2}, "frame: 2"),
        ({"layout": "chw"}, "layout: chw"),
        ({"bands": (2, 0, 1)}, "bands: [2, 0, 1]"),
        ({"band_files": "{image}_{r,g,b}.png"}, "band_files: {image}_{r,g,b}.png"),
        ({"scale": (10.0, 90.0), "scale_by": ""}, "black: 10.0; white: 90.0"),
    ],
)
def test_a_person_is_told_what_is_not_as_usual(settings: dict[str, Any], said: str) -> None:
    column = Image("image", channels=3, **{"dtype": "uint8", "scale": (0.0, 255.0), **settings})
    one = {"kind": "image", "layout": "NCHW", "dtype": "float32", "pixel": preprocessing.pixel(column)}
    lines = preprocessing.lines({"inputs": {"x": one}})
    assert len(lines) == 1 + bool(said)
    assert said in lines[-1]


@pytest.mark.parametrize(
    ("settings", "value", "reason"),
    [
        ({"window_of_file": True, **WINDOW}, "aGFsbG8=", "it cannot be served"),
        ({"window_of_file": True, **WINDOW}, [[1, 2], [3, 4]], "takes the window that a DICOM file names"),
        ({"scale_by": "dtype", "channels": 6}, [[1, 2], [3, 4]], "it cannot be served"),
        ({"scale_by": "dtype"}, [[1, 2], [3, 4]], "expected a file in base64: each image is taken by its own type"),
        ({"frame": 2}, [[1, 2], [3, 4]], "expected a file in base64: this model reads frame 2"),
    ],
)
def test_what_cannot_be_sent_is_said_to_whoever_sends_it(settings: dict[str, Any], value: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        inputs.picture(value, column=Image("image", **{"channels": 1, **settings}))
