"""Windows of DICOM files: given or named by the file, for each frame, by the functions of the standard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from tests.columns.formats.dicom_files import made, shipped
from tests.columns.formats.strategies import LIMITS, PLAIN, noise
from tlx.columns import Image
from tlx.columns.formats import dicom, read
from tlx.columns.formats.window import windowed


def test_each_frame_may_have_its_own_slope_and_window(folder: Path) -> None:
    def group(slope: float, centre: float) -> Dataset:
        found, values, shown = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept = str(slope), "5"
        shown.WindowCenter, shown.WindowWidth = [str(centre), "0"], ["80", "400"]
        found.PixelValueTransformationSequence, found.FrameVOILUTSequence = [values], [shown]
        return found

    stored = noise("i2", (9, 4))
    groups = [group(1, 10), group(2, 20), group(3, 30)]
    path = made(folder / "a.dcm", stored, frames=3, PerFrameFunctionalGroupsSequence=groups)
    for k in range(3):
        found = read(path, replace(PLAIN, frame=k), LIMITS).values
        np.testing.assert_array_equal(found, stored[3 * k : 3 * k + 3].astype("f4") * (k + 1) + 5)
        assert dicom.windows(path, k) == (((10 * (k + 1), 80), (0, 400)), "linear")
        own = replace(PLAIN, frame=k, window=((10 * (k + 1), 80),))
        named = Image("scan", window_of_file=True, frame=k).read(path)
        np.testing.assert_array_equal(named, read(path, own, LIMITS).values)
    assert dicom.windows(path) == dicom.windows(path, 1)
    shared = made(folder / "b.dcm", stored, frames=3, SharedFunctionalGroupsSequence=groups[2:])
    np.testing.assert_array_equal(read(shared, PLAIN, LIMITS).values, stored[3:6].astype("f4") * 3 + 5)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@given(centre=st.integers(-300, 300), width=st.floats(5, 500))
def test_the_window_of_a_file_has_the_function_that_the_file_names(
    folder: Path, function: str, centre: int, width: float
) -> None:
    said: dict[str, Any] = {"WindowCenter": str(centre), "WindowWidth": f"{width:.4g}", "VOILUTFunction": function}
    path = made(folder / "a.dcm", np.arange(-200, 200, dtype="i2").reshape(20, 20), bits=12, **said)
    header = pydicom.dcmread(path)
    expected = (apply_windowing(header.pixel_array, header) + 2048) / 4095 * 255
    np.testing.assert_allclose(Image("scan", window_of_file=True).read(path), expected, atol=0.001)


def test_a_function_that_the_standard_does_not_know_is_named(folder: Path) -> None:
    path = made(folder / "a.dcm", noise("i2", (4, 4)), WindowCenter="1", WindowWidth="9", VOILUTFunction="CUBIC")
    with pytest.raises(ValueError, match="names the window function 'cubic'"):
        Image("scan", window_of_file=True).read(path)


@pytest.mark.parametrize("name", ["SC_rgb_rle", "examples_palette"])
def test_a_window_is_of_one_of_the_colours(name: str) -> None:
    colours = read(shipped(name), PLAIN, LIMITS).values
    with pytest.raises(ValueError, match=r"dataset\.window is for one channel, there are 3"):
        read(shipped(name), replace(PLAIN, window=((40, 80),)), LIMITS)
    found = read(shipped(name), replace(PLAIN, window=((100, 80),), bands=(1,)), LIMITS)
    np.testing.assert_array_equal(found.values, windowed(colours[:, :, 1], ((100, 80),)))
    assert found.range == (0, 255)
