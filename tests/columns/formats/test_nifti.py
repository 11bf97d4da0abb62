"""NIfTI files, slice by slice against what nibabel was given to write and what it reads as a whole."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.formats.strategies import LIMITS, NUMBERS, ORDERS, PLAIN, Array, noise
from tlx.columns.formats import read
from tlx.columns.formats.pixels import TooLarge

SHAPES = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)


def written(
    path: Path, values: Array, version: int = 1, order: str = "<", scale: tuple[float, float] | None = None
) -> Path:
    """A file of stored values, which mean others where there is a scale."""
    kinds: tuple[Any, Any] = (nibabel.Nifti1Image, nibabel.Nifti2Image)
    image = kinds[version - 1](values, np.eye(4), dtype=values.dtype)
    image.header.endianness  # noqa: B018 (it can only be read)
    if order == ">":
        image = kinds[version - 1](values, np.eye(4), image.header.as_byteswapped(">"))
    image.header.set_data_dtype(values.dtype)
    if scale:
        image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    return path


@given(
    dtype=st.sampled_from(NUMBERS),
    shape=SHAPES,
    order=ORDERS,
    version=st.sampled_from([1, 2]),
    packed=st.booleans(),
    scaled=st.booleans(),
)
def test_every_slice_is_as_nibabel_reads_it(
    folder: Path, dtype: str, shape: tuple[int, ...], order: str, version: int, packed: bool, scaled: bool
) -> None:
    values = noise(dtype, shape)
    scale = (2.5, -3.0) if scaled and np.dtype(dtype).kind != "f" else None
    path = written(folder / ("a.nii.gz" if packed else "a.nii"), values, version, order, scale)
    whole = np.asanyarray(nibabel.load(path).dataobj)
    slices = whole.reshape(*whole.shape[:2], -1, order="F")
    for k in range(slices.shape[2]):
        found = read(path, replace(PLAIN, frame=k), LIMITS)
        np.testing.assert_array_equal(found.values, slices[:, :, k].T.astype(found.values.dtype))
        assert found.frames == slices.shape[2]
        assert found.values.dtype == (np.float32 if scale else np.dtype(dtype))
    middle = slices[:, :, (shape[2] if len(shape) > 2 else 1) // 2]
    np.testing.assert_array_equal(read(path, PLAIN, LIMITS).values, middle.T.astype(found.values.dtype))


def test_colours(folder: Path) -> None:
    colours = noise("u1", (5, 4, 3, 3))
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    path = written(folder / "a.nii", np.ascontiguousarray(colours).view(kind)[..., 0])
    np.testing.assert_array_equal(read(path, PLAIN, LIMITS).values, colours[:, :, 1].swapaxes(0, 1))


def header(shape: tuple[int, ...], offset: float = 352) -> bytes:
    """Of a file of bytes, which are not there."""
    made = nibabel.Nifti1Header()
    made.set_data_shape(shape)
    made.set_data_dtype(np.uint8)
    made["magic"], made["vox_offset"] = b"n+1", offset
    return bytes(made.binaryblock) + bytes(4)


@pytest.mark.parametrize(
    ("shape", "offset", "wrong"),
    [
        ((30000, 30000, 1), 352, "30,000 x 30,000 pixels"),
        ((300, 300, 30000), 352, "claims 2,700,000,352 bytes, but holds 352"),
        ((3, 3, 3), 8, "begin at byte 8, inside of its header"),
        ((3, 3, 3), 0, "begin at byte 0, inside of its header"),
        ((3, 3, 3), 1e9, "claims 1,000,000,027 bytes"),
    ],
)
def test_headers_that_claim_too_much_are_refused(
    folder: Path, shape: tuple[int, ...], offset: float, wrong: str
) -> None:
    (folder / "a.nii").write_bytes(header(shape, offset))
    with pytest.raises(ValueError, match=wrong):
        read(folder / "a.nii", PLAIN, LIMITS)


def test_no_more_is_decompressed_than_the_limit(folder: Path) -> None:
    """A file of zeros that would be far larger than what holds it."""
    with gzip.open(folder / "a.nii.gz", "wb") as stream:
        stream.write(header((4000, 4000, 30000)) + bytes(1 << 20))
    with pytest.raises(TooLarge, match="15001 channels"):
        read(folder / "a.nii.gz", PLAIN, LIMITS)
    with pytest.raises(Exception, match=r"."):
        read(folder / "a.nii.gz", replace(PLAIN, frame=0), LIMITS)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"", "no NIfTI file"), (b"hello" * 99, "no NIfTI file"), (struct.pack("<i", 348), "ends within its header")],
)
def test_other_files_are_named(folder: Path, content: bytes, wrong: str) -> None:
    (folder / "a.nii").write_bytes(content)
    with pytest.raises(ValueError, match=wrong):
        read(folder / "a.nii", PLAIN, LIMITS)


def test_pixels_in_another_file_are_not_looked_for(folder: Path) -> None:
    (folder / "a.nii").write_bytes(header((3, 3)).replace(b"n+1\0", b"ni1\0"))
    with pytest.raises(ValueError, match="in another file"):
        read(folder / "a.nii", PLAIN, LIMITS)
