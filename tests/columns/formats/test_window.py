"""Windows, against pydicom's function for the same formula of the standard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.pixels import apply_windowing

from tests.columns.formats.strategies import LIMITS, PLAIN, noise
from tlx.columns.formats import read
from tlx.columns.formats.window import windowed

WINDOWS = st.tuples(st.integers(-40000, 40000), st.integers(1, 70000))


def by_pydicom(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """In 0..255."""
    header = Dataset()
    header.PhotometricInterpretation, header.BitsStored, header.PixelRepresentation = "MONOCHROME2", 16, 1
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = centre, width, "LINEAR"
    shown = apply_windowing(values, header)
    return np.asarray((shown + 32768) / 65535 * 255)


@given(windows=st.lists(WINDOWS, min_size=1, max_size=3))
def test_each_window_is_the_function_of_the_standard(windows: list[tuple[float, float]]) -> None:
    values = noise("i2", (6, 7))
    found = windowed(values, windows)
    expected = np.stack([by_pydicom(values, *one) for one in windows], axis=2)
    np.testing.assert_allclose(found, expected[:, :, 0] if len(windows) == 1 else expected, atol=0.01)
    assert found.dtype == np.float32


def test_a_window_of_any_file_gives_values_in_bytes(folder: Path) -> None:
    values = noise("i2", (6, 7))
    np.save(folder / "a.npy", values)
    found = read(folder / "a.npy", replace(PLAIN, window=((40, 400), (0, 1))), LIMITS)
    assert found.values.shape == (6, 7, 2)
    assert found.range == (0.0, 255.0)
    np.testing.assert_array_equal(found.values[:, :, 1], np.where(values >= 0, 255, 0))


@pytest.mark.parametrize(
    ("shape", "width", "wrong"), [((6, 7, 3), 9, "for one channel, there are 3"), ((6, 7), 0.5, "at least 1")]
)
def test_a_window_that_has_no_meaning_is_refused(shape: tuple[int, ...], width: float, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        windowed(noise("i2", shape), [(0, width)])
