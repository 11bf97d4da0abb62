"""Images of one file per band: numpy's stack of what tifffile, PIL and numpy read, and files that make no image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from tests.columns.strategies import back, look
from tlx.columns import Image, formats
from tlx.columns.formats.pixels import Pixels
from tlx.config.dataset_parts import Limits
from tlx.config.image_values import ImageValues, settled

TYPES = ("uint8", "uint16", "int16", "float32")


def write(file: Path, values: Any) -> Path:
    """Write an array as its suffix says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npy":
        np.save(file, values)
    elif file.suffix == ".tif":
        pytest.importorskip("tifffile").imwrite(file, values)
    else:
        Pictures.fromarray(values).save(file)
    return file


def bands(dtype: str, count: int = 3, seed: int = 0) -> list[Any]:
    """Arrays [6, 5], each in a part of the type's range of its own."""
    rng = np.random.default_rng(seed)
    return [(rng.random((6, 5)) * 100 + 40 * band).astype(dtype) for band in range(count)]


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [("png", "uint8"), ("png", "uint16"), *((suffix, dtype) for suffix in ("tif", "npy") for dtype in TYPES)],
)
def test_the_channels_are_the_files_in_their_order(folder: Path, suffix: str, dtype: str) -> None:
    values = bands(dtype)
    for name, one in zip(("08", "02", "8A"), values, strict=True):
        write(folder / f"x_B{name}.{suffix}", one)
    column = Image("image", channels=3, band_files=f"{{image}}_B{{08,02,8A}}.{suffix}")
    found = column.read(str(folder / "x"))
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, np.stack(values, axis=2))
    seen = look()
    assert column.problems([str(folder / "x")], np.arange(1), seen) == {}
    assert (seen.seen[0].height, seen.seen[0].width, seen.seen[0].channels) == (6, 5, 3)
    assert column.file(str(folder / "x")) is None
    assert back(column) == column
    chosen = column.declared(settled(ImageValues(bands=[2, 0]), "dataset"))
    np.testing.assert_array_equal(chosen.read(folder / "x"), np.stack([values[2], values[0]], axis=2))


def test_files_of_several_channels_come_one_after_the_other(folder: Path) -> None:
    rng = np.random.default_rng(0)
    colours, depth = (rng.integers(256, size=shape, dtype=np.uint8) for shape in ((6, 5, 3), (6, 5)))
    write(folder / "x" / "rgb.png", colours)
    write(folder / "x" / "near.png", depth)
    found = Image("image", band_files="{image}/{rgb,near}.png").read(folder / "x")
    np.testing.assert_array_equal(found, np.dstack([colours, depth]))


def test_what_a_file_says_of_its_values_is_believed_where_all_say_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = formats.read
    ranges = {"x_a.npy": (0.0, 4095.0), "x_b.npy": (0.0, 4095.0), "y_a.npy": (0.0, 4095.0)}

    def read(path: Path, *rest: Any) -> Any:
        found = real(path, *rest)
        return Pixels(found.values, found.frames, ranges.get(path.name))

    monkeypatch.setattr(formats, "read", read)
    for name in ("x_a", "x_b", "y_a", "y_b"):
        write(folder / f"{name}.npy", bands("uint16")[0])
    column = Image("image", band_files="{image}_{a,b}.npy")
    assert column.decoded(folder / "x").range == (0.0, 4095.0)
    assert column.decoded(folder / "y").range is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (None, "there is no "),
        (np.zeros((5, 6), "uint16"), "x_b.npy has 6 x 5 pixels, x_a.npy 5 x 6"),
        (np.zeros((6, 5), "uint8"), "x_b.npy holds uint8, x_a.npy uint16"),
        (np.zeros((6, 5), "complex64"), "x_b.npy: ValueError: expected an array of numbers"),
        (np.zeros((2, 2, 2, 2), "uint16"), "x_b.npy: ValueError: expected an array [h, w]"),
    ],
)
def test_files_that_make_no_image_are_named(folder: Path, other: Any, message: str) -> None:
    write(folder / "x_a.npy", bands("uint16")[0])
    if other is not None:
        write(folder / "x_b.npy", other)
    column = Image("image", channels=2, band_files="{image}_{a,b}.npy")
    (fault,) = column.problems([folder / "x"], np.arange(1), look()).values()
    assert message in fault
    assert "x_b.npy" in fault


def test_the_limit_is_of_all_files_together(folder: Path) -> None:
    for name in "abcde":
        write(folder / f"x_{name}.npy", np.zeros((6, 5), "uint8"))
    column = Image("image", band_files="{image}_{a,b,c,d,e}.npy")
    assert column.read(folder / "x", Limits(pixels=60)).shape == (6, 5, 5)
    with pytest.raises(ValueError, match="of 5 channels"):
        column.read(folder / "x", Limits(pixels=59))


@pytest.mark.parametrize("window", [[100, 50], [[100, 50], [60, 20]]])
@pytest.mark.parametrize("picked", [[], [2], [0, 1]])
@pytest.mark.parametrize("suffix", ["npy", "tif"])
def test_windows_are_of_one_channel_as_they_are_of_one_file(
    folder: Path, suffix: str, picked: list[int], window: list[Any]
) -> None:
    values = bands("int16")
    for number, one in enumerate(values):
        write(folder / f"x_{number}.{suffix}", one)
    whole = str(write(folder / "whole.npy", np.stack(values, axis=2)))
    how = settled(ImageValues(bands=picked, window=window, layout="hwc"), "dataset")
    files = Image("image", band_files=f"{{image}}_{{0,1,2}}.{suffix}").declared(how)
    file = Image("image").declared(how)
    if len(picked) == 1:
        np.testing.assert_array_equal(files.read(folder / "x"), file.read(whole))
        return
    for column, value in ((files, folder / "x"), (file, whole)):
        with pytest.raises(ValueError, match=r"for one channel, there are [23]"):
            column.read(value)
