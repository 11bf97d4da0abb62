"""Which values are black and white, by arithmetic of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tlx.columns import Image
from tlx.columns.image_scale import scaled

TYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64, np.float16, np.float32, np.float64]
Array = npt.NDArray[Any]


def fitted(images: list[Array], **settings: Any) -> Image:
    """A column that has seen these in train."""
    column, values, problems = Image("image", **settings).encode(images, np.arange(len(images)))
    assert not problems
    return column.fit(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([5, 4090], np.uint16), (0, 4095)),  # twelve bits of an X-ray
        (np.array([0, 65535], np.uint16), (0, 65535)),
        (np.array([0, 200], np.uint16), (0, 255)),
        (np.array([29000, 31000], np.uint16), (29000, 31000)),  # whole bits would leave it nearly grey
        (np.array([-1024, 3071], np.int16), (-1024, 3071)),  # Hounsfield units
        (np.array([0.0, 0.93], np.float32), (0, 1)),  # reflectance
        (np.array([0.001, 0.06], np.float64), (0.001, 0.06)),
        (np.array([3.0, 251.5], np.float32), (0, 255)),
        (np.array([-2.5, 2.5], np.float32), (-2.5, 2.5)),
        (np.array([0, 3], np.uint8), (0, 255)),
        (np.array([True, False]), (0, 255)),
        (np.array([7, 7], np.int16), (7, 8)),
    ],
)
def test_the_range_of_train_says_what_is_white(values: Array, expected: tuple[float, float]) -> None:
    column = fitted([values.reshape(1, 2)])
    assert column.scale == pytest.approx(expected)
    assert column.dtype == ("uint8" if values.dtype in (np.uint8, np.bool_) else "float32")


@given(st.data())
def test_scaled_values_are_those_of_exact_arithmetic(data: st.DataObject) -> None:
    kind = np.dtype(data.draw(st.sampled_from(TYPES))).newbyteorder(data.draw(st.sampled_from("<>")))
    edges = {"min_value": -1e4, "max_value": 1e4, "width": 16} if kind.kind == "f" else {}
    elements = st.floats(**edges) if kind.kind == "f" else None  # type: ignore[arg-type]
    values = data.draw(arrays.arrays(kind, (3, 5), elements=elements))
    low = data.draw(st.floats(-1e4, 1e4))
    high = low + data.draw(st.floats(1, 1e5))
    column = Image("image", channels=1, dtype="float32", scale_by="", scale=(low, high))
    exact = ((values.astype(np.longdouble) - low) * (255 / (np.longdouble(high) - low))).clip(0, 255)
    found = column.scaled(column.read(values))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact.astype(np.float64), atol=0.02)


@given(st.data())
def test_an_image_has_the_same_bits_alone_in_a_stack_and_in_another_type(data: st.DataObject) -> None:
    kind = np.dtype(data.draw(st.sampled_from(TYPES)))
    edges = {"min_value": -1e4, "max_value": 1e4, "width": 16} if kind.kind == "f" else {}
    elements = st.floats(**edges) if kind.kind == "f" else None  # type: ignore[arg-type]
    values = data.draw(arrays.arrays(kind, (3, 2, 4), elements=elements))
    known = data.draw(st.sampled_from([(0.0, 255.0), (-7.3, 4095.1), (0.0, 65_535.0)]))
    for to_bytes in (True, False):
        stack = scaled(values, known, to_bytes)
        alone = np.stack([scaled(one, known, to_bytes) for one in values])
        assert stack.tobytes() == alone.tobytes()
        if np.array_equal(values.astype(np.float64), values) and abs(values).max() < 2**53:
            assert scaled(values.astype(np.float64), known, to_bytes).tobytes() == stack.tobytes()
        if kind in (np.uint8, np.uint16, np.float32):  # as it always was
            plain = values.astype(np.float32)
            plain = plain if known == (0, 255) else (plain - known[0]) * (255 / (known[1] - known[0]))
            usual = plain.clip(0, 255)
            assert stack.tobytes() == (usual.round().astype(np.uint8) if to_bytes else usual).tobytes()


@given(arrays.arrays(np.uint16, (4, 4)))
def test_bytes_are_rounded_and_not_cut(values: npt.NDArray[np.uint16]) -> None:
    np.testing.assert_array_equal(scaled(values, (0, 65535), to_bytes=True), np.round(values / 257).astype(np.uint8))


def test_each_by_its_own_type() -> None:
    deep, flat = np.array([[0, 65535]], np.uint16), np.array([[0, 255]], np.uint8)
    column = fitted([deep, flat, flat], scale_by="dtype")
    for one in (deep, flat):
        np.testing.assert_array_equal(column.scaled(column.read(one)), [[0, 255]])


def test_percentiles_are_of_train(folder: Path) -> None:
    images = [np.random.default_rng(i).normal(300, 50, size=(40, 40)).astype(np.float32) for i in range(3)]
    images[0][0, 0] = 1e6
    column = fitted(images, scale_by="percentile")
    assert column.scale == pytest.approx(np.percentile(np.stack(images), [1, 99]))


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_statistics_of_other_channels_are_of_train(channels: int) -> None:
    images = [np.random.default_rng(i).integers(0, 4096, size=(9, 8, channels)).astype(np.uint16) for i in range(4)]
    column = fitted(images)
    whole = np.stack(images).reshape(-1, channels) / 4095
    assert (column.channels, column.scale) == (channels, (0, 4095))
    assert column.mean == pytest.approx(whole.mean(0), abs=1e-6)
    assert column.std == pytest.approx(whole.std(0), abs=1e-6)
    assert not fitted(images, statistics="backbone").mean


@pytest.mark.parametrize(
    ("shape", "expected"), [((6, 32, 32), (32, 32, 6)), ((32, 31, 6), (32, 31, 6)), ((9, 8), (9, 8))]
)
def test_the_shortest_axis_has_the_channels(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert Image("image").read(np.zeros(shape, np.uint8)).shape == expected


@pytest.mark.parametrize("shape", [(4, 4, 4), (32, 32, 200), (3, 9, 3)])
def test_a_layout_that_cannot_be_told_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"dataset\.layout=hwc or dataset\.layout=chw"):
        Image("image").read(np.zeros(shape, np.uint8))
    assert Image("image", layout="hwc").read(np.zeros(shape, np.uint8)).shape == shape
    assert Image("image", layout="chw").read(np.zeros(shape, np.uint8)).shape == (*shape[1:], shape[0])


def test_known_channels_tell_a_layout_that_the_shape_does_not() -> None:
    values = np.zeros((2, 5, 3), np.uint8)
    assert Image("image", channels=3).read(np.zeros((2, 2, 3), np.uint8)).shape == (2, 2, 3)
    assert Image("image", channels=3).read(np.zeros((3, 2, 2), np.uint8)).shape == (2, 2, 3)
    assert Image("image", channels=200).read(np.zeros((32, 32, 200), np.uint8)).shape == (32, 32, 200)
    assert Image("image", channels=3).read(values).shape == (5, 3, 2)  # what a shape says is believed
    with pytest.raises(ValueError, match="which axis"):
        Image("image", channels=3).read(np.zeros((3, 3, 3), np.uint8))


def test_bands_are_read_in_their_order() -> None:
    values = np.arange(5 * 6 * 4, dtype=np.uint8).reshape(5, 6, 4)
    np.testing.assert_array_equal(Image("image", bands=(3, 0)).read(values), values[:, :, [3, 0]])
    with pytest.raises(ValueError, match="there are 4 channels"):
        Image("image", bands=(4,)).read(values)
