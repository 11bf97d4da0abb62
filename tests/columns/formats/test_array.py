"""Arrays of NumPy, one or several in a file."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.formats.strategies import LIMITS, NUMBERS, ORDERS, PLAIN, Array, images, noise
from tlx.columns.formats import read
from tlx.columns.formats.pixels import TooLarge

LAST = replace(PLAIN, layout="hwc")


@given(
    values=images(st.sampled_from((*NUMBERS, "i8", "u8")), st.integers(1, 5)),
    order=ORDERS,
    fortran=st.booleans(),
    name=st.sampled_from(["a.npy", "a.npz", "b.npz"]),
)
def test_arrays_of_all_types(folder: Path, values: Array, order: Literal["<", ">"], fortran: bool, name: str) -> None:
    stored = values.astype(values.dtype.newbyteorder(order), order="F" if fortran else "C")
    if name == "a.npy":
        np.save(folder / name, stored)
    else:
        (np.savez if name == "a.npz" else np.savez_compressed)(folder / name, anything=stored)
    found = read(folder / name, LAST, LIMITS)
    np.testing.assert_array_equal(found.values, values)
    assert found.values.dtype == values.dtype
    assert found.values.dtype.isnative


@pytest.mark.parametrize("name", ["image", "arr_0"])
def test_the_one_that_is_called_image_is_taken(folder: Path, name: str) -> None:
    values = noise("u1", (5, 6))
    several: dict[str, Any] = {"mask": values > 9, name: values}
    np.savez(folder / "a.npz", **several)
    np.testing.assert_array_equal(read(folder / "a.npz", PLAIN, LIMITS).values, values)


@pytest.mark.parametrize(("names", "wrong"), [(["red", "mask"], "found red, mask"), ([], "found none")])
def test_which_of_several_is_meant_is_asked(folder: Path, names: list[str], wrong: str) -> None:
    several: dict[str, Any] = {name: noise("u1", (5, 6)) for name in names}
    np.savez(folder / "a.npz", **several)
    with pytest.raises(ValueError, match=f"one array, or one called image or arr_0; {wrong}"):
        read(folder / "a.npz", PLAIN, LIMITS)


def archive(path: Path, head: str, content: int, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    """An archive of one array whose header says what it likes, before so many zeros."""
    line = head.encode() + b"\n"
    with zipfile.ZipFile(path, "w", packed) as file:
        start = b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line
        file.writestr("arr_0.npy", start + bytes(content))
    return path


@pytest.mark.parametrize(
    ("shape", "kind", "wrong"),
    [
        ((10**6, 10**6), "|u1", "1,000,000 x 1,000,000 pixels"),
        ((100, 100), "|u1", "claims 10,000 bytes of pixels, but holds 9"),
        ((3, 3), "|O", "expected an array of numbers"),
        ((3, 3), "<c8", "expected an array of numbers"),
        ((3,), "|u1", "expected an array"),
        ((0, 3), "|u1", "an image without pixels"),
    ],
)
def test_headers_are_looked_at_before_anything_is_read(
    folder: Path, shape: tuple[int, ...], kind: str, wrong: str
) -> None:
    head = str({"descr": kind, "fortran_order": False, "shape": shape})
    with pytest.raises(ValueError, match=wrong):
        read(archive(folder / "a.npz", head, 9), PLAIN, LIMITS)


def test_what_lies_behind_the_array_is_not_read(folder: Path) -> None:
    head = str({"descr": "|u1", "fortran_order": False, "shape": (3, 3)})
    assert read(archive(folder / "a.npz", head, 1 << 24), PLAIN, LIMITS).values.shape == (3, 3)


def test_limits_hold_for_arrays_too(folder: Path) -> None:
    np.savez(folder / "a.npz", noise("u1", (40, 50)))
    with pytest.raises(TooLarge, match=r"50 x 40 pixels.*dataset\.limits\.pixels"):
        read(folder / "a.npz", PLAIN, replace(LIMITS, pixels=1999))


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_numpy_does_not_write_is_refused(folder: Path, packed: int) -> None:
    head = str({"descr": "|u1", "fortran_order": False, "shape": (3, 3)})
    with pytest.raises(ValueError, match=r"numpy\.savez does not write"):
        read(archive(folder / "a.npz", head, 9, packed), PLAIN, LIMITS)


def test_objects_are_not_unpickled(folder: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([[{}, 1]], dtype=object), allow_pickle=True)
    (folder / "a.npy").write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="expected an array of numbers"):
        read(folder / "a.npy", PLAIN, LIMITS)
