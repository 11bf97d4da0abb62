"""TIFF files, pixel by pixel against what tifffile was given to write, and the formulas of the specification."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.columns.formats.strategies import LIMITS, NUMBERS, ORDERS, PLAIN, Array, images, noise
from tlx.columns.formats import NotInstalled, raster, read, tiff

COMPRESSIONS = st.sampled_from([None, "lzw", "deflate", "packbits", "zstd", "lzma"])
TILES = st.sampled_from([None, (16, 16), (32, 16)])
GREEN = replace(PLAIN, background=(10, 200, 30))


def written(path: Path, values: Array, planar: bool = False, **how: Any) -> Path:
    """A file of [h, w, channels]; one channel becomes [h, w]."""
    data = values[:, :, 0] if values.shape[2] == 1 else np.moveaxis(values, 2, 0) if planar else values
    several = values.shape[2] > 1
    how.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, data, planarconfig=("separate" if planar else "contig") if several else None, **how)
    return path


def plain(values: Array) -> Array:
    """[h, w] of one channel."""
    return values[:, :, 0] if values.shape[2] == 1 else values


@given(
    values=images(st.sampled_from(NUMBERS), st.integers(1, 5)),
    order=ORDERS,
    compression=COMPRESSIONS,
    tile=TILES,
    planar=st.booleans(),
    big=st.booleans(),
    predictor=st.booleans(),
)
@settings(max_examples=80)
def test_all_bands_of_all_types(
    folder: Path,
    values: Array,
    order: str,
    compression: str | None,
    tile: tuple[int, int] | None,
    planar: bool,
    big: bool,
    predictor: bool,
) -> None:
    packed = "deflate" if compression == "packbits" and values.itemsize > 1 else compression
    foresee = (3 if values.dtype.kind == "f" else 2) if predictor and packed in ("lzw", "deflate", "zstd") else None
    how: dict[str, Any] = {
        "compression": packed,
        "tile": tile,
        "byteorder": order,
        "bigtiff": big,
        "predictor": foresee,
    }
    found = read(written(folder / "a.tif", values, planar, **how), PLAIN, LIMITS)
    np.testing.assert_array_equal(found.values, plain(values))
    assert found.values.dtype == values.dtype
    assert found.values.dtype.isnative
    assert (found.frames, found.range) == (1, None)


@given(
    values=images(st.sampled_from(["u1", "i1", "u2", "i2", "u4"]), st.integers(1, 4)),
    order=ORDERS,
    packed=st.booleans(),
)
def test_black_is_zero_where_white_was(folder: Path, values: Array, order: str, packed: bool) -> None:
    how: dict[str, Any] = {
        "byteorder": order,
        "compression": "deflate" if packed else None,
        "photometric": "miniswhite",
    }
    found = read(written(folder / "a.tif", values, **how), PLAIN, LIMITS).values
    ends = np.iinfo(values.dtype)
    np.testing.assert_array_equal(found, ends.max - (plain(values).astype(object) - ends.min))


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_bits_that_fill_no_type_say_what_they_can_be(folder: Path, bits: int, channels: int, photometric: str) -> None:
    values = noise("u2", (5, 8, channels)) >> (16 - bits)
    path = written(folder / "a.tif", values, bitspersample=bits, photometric=photometric)
    found = read(path, PLAIN, LIMITS)
    most = 2**bits - 1
    assert found.range == (0.0, float(most))
    np.testing.assert_array_equal(found.values, plain(values if photometric == "minisblack" else most - values))


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("premultiplied", [False, True])
@pytest.mark.parametrize("planar", [False, True])
def test_what_is_transparent_is_laid_over_the_background(
    folder: Path, dtype: str, colours: int, premultiplied: bool, planar: bool
) -> None:
    most = 1.0 if dtype == "f4" else np.iinfo(dtype).max
    share = np.random.default_rng(0).random((6, 7, colours + 1))
    if premultiplied:
        share[:, :, :-1] *= share[:, :, -1:]
    values = (share * most).astype(dtype)
    extra = "assocalpha" if premultiplied else "unassalpha"
    how: dict[str, Any] = {"photometric": "rgb" if colours == 3 else "minisblack", "extrasamples": [extra]}
    found = read(written(folder / "a.tif", values, planar, **how), GREEN, LIMITS).values
    alpha = values[:, :, -1:] / most
    own = values[:, :, :-1] / most * (1 if premultiplied else alpha)
    expected = own + np.array(GREEN.background) / 255 * (1 - alpha)
    np.testing.assert_allclose(found / most, expected, atol=2.5 / 255 if dtype == "u1" else 2 / 65535)
    assert found.dtype == np.dtype(dtype)


def test_a_fourth_channel_that_nobody_calls_alpha_is_a_band(folder: Path) -> None:
    """Aerial pictures have near infrared there; PIL leaves it out without a word."""
    values = noise("u1", (6, 7, 4))
    path = written(folder / "a.tif", values, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read(path, PLAIN, LIMITS).values, values)
    bands = replace(PLAIN, bands=(3, 0))
    np.testing.assert_array_equal(read(path, bands, LIMITS).values, values[:, :, [3, 0]])


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        *itertools.product(
            ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"), (None, "tiff_lzw")
        ),
        *itertools.product(("L", "RGB", "CMYK", "YCbCr"), ("jpeg", "packbits", "tiff_adobe_deflate")),
        ("1", "group4"),
    ],
)
def test_pictures_are_read_by_pil_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str, compression: str | None
) -> None:
    colours = Image.fromarray(noise("u1", (9, 11, 4)))
    deep = {"I;16": noise("u2", (9, 11)), "I": noise("i4", (9, 11)), "F": noise("f4", (9, 11))}
    image = Image.fromarray(deep[mode]) if mode in deep else colours.convert("RGB").convert(mode)
    (colours if mode == "RGBA" else image).save(folder / "a.tif", compression=compression)
    monkeypatch.setattr(tiff, "find_spec", lambda _: None)
    found = read(folder / "a.tif", GREEN, LIMITS).values
    np.testing.assert_array_equal(found, raster.read(folder / "a.tif", GREEN, LIMITS).values)


def test_what_pil_reads_wrong_is_not_left_to_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the bytes of big-endian numbers swapped where they are compressed."""
    values = noise("i4", (6, 7, 1))
    path = written(folder / "a.tif", values, byteorder=">", compression="deflate")
    np.testing.assert_array_equal(read(path, PLAIN, LIMITS).values, values[:, :, 0])
    gone: set[str] = {"tifffile"}
    known = importlib.util.find_spec

    def found(name: str) -> ModuleSpec | None:
        return None if name in gone else known(name)

    monkeypatch.setattr(tiff, "find_spec", found)
    with pytest.raises(NotInstalled, match=r"read by tifffile: pip install 'tlx\[satellite\]'"):
        read(path, PLAIN, LIMITS)
    gone.update({"imagecodecs"})
    gone.discard("tifffile")
    with pytest.raises(
        NotInstalled, match=r"compression deflate\) are read by imagecodecs: pip install 'tlx\[satellite\]'"
    ):
        read(path, PLAIN, LIMITS)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("tag", range(1, 9))
def test_pictures_are_upright(folder: Path, tag: int, deep: bool) -> None:
    """By the specification: where row 0 and column 0 of the file are shown."""
    values = noise("u2" if deep else "u1", (5, 7, 3))
    path = written(folder / "a.tif", values, photometric="rgb", extratags=[(274, 3, 1, tag, True)])
    shown = values.swapaxes(0, 1) if tag > 4 else values
    top_left = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[tag]
    np.testing.assert_array_equal(read(path, PLAIN, LIMITS).values, shown[:: top_left[0], :: top_left[1]])


def test_palettes_and_inks_are_colours(folder: Path) -> None:
    table, index = noise("u2", (3, 65536)), noise("u2", (5, 7, 1))
    found = read(written(folder / "a.tif", index, photometric="palette", colormap=table), PLAIN, LIMITS).values
    np.testing.assert_array_equal(found, table.T[index[:, :, 0]] // 256)
    inks = noise("u2", (5, 7, 4))
    deep = read(written(folder / "b.tif", inks, photometric="separated"), PLAIN, LIMITS).values
    left = 1 - inks / 65535
    np.testing.assert_allclose(deep / 65535, left[:, :, :3] * left[:, :, 3:], atol=1e-5)
    bytes_ = read(written(folder / "c.tif", (inks >> 8).astype("u1"), photometric="separated"), PLAIN, LIMITS).values
    np.testing.assert_allclose(deep / 65535, bytes_ / 255, atol=2 / 255)


@pytest.mark.parametrize("channels", [1, 5])
def test_pages_are_frames_and_smaller_copies_are_none(folder: Path, channels: int) -> None:
    with tifffile.TiffWriter(folder / "a.tif") as file:
        for k in range(3):
            for size, kind in ((8, 0), (4, 1)):
                page = np.full((size, size, channels), k, "u1")
                how: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig", "subfiletype": kind}
                file.write(
                    page if channels > 1 else page[:, :, 0], **(how if channels > 1 else how | {"planarconfig": None})
                )
    for frame in (None, 0, 1, 2):
        found = read(folder / "a.tif", replace(PLAIN, frame=frame), LIMITS)
        assert (found.frames, found.values.shape[:2], found.values.max()) == (3, (8, 8), frame or 0)
    with pytest.raises(ValueError, match=r"dataset\.frame=3: there are 3 frames"):
        read(folder / "a.tif", replace(PLAIN, frame=3), LIMITS)


def test_parts_that_were_left_out_are_what_the_file_says(folder: Path) -> None:
    """GDAL leaves out tiles without data."""
    whole = written(folder / "a.tif", noise("u2", (16, 32, 2)), tile=(16, 16), extratags=[(42113, 2, 0, "7", True)])
    with tifffile.TiffFile(whole) as file:
        tags = [file.pages[0].tags[code] for code in (324, 325)]
    changed = bytearray(whole.read_bytes())
    for tag in tags:
        length = {"SHORT": 2, "LONG": 4}[tag.dtype.name]
        changed[tag.valueoffset : tag.valueoffset + length] = bytes(length)
    whole.write_bytes(changed)
    found = read(whole, PLAIN, LIMITS).values
    assert (found[:, :16] == 7).all()
    assert len(np.unique(found[:, 16:])) > 100


def test_other_pictures_that_are_called_so_are_read(folder: Path) -> None:
    values = noise("u1", (5, 6, 3))
    Image.fromarray(values).save(folder / "a.tif", format="PNG")
    np.testing.assert_array_equal(read(folder / "a.tif", PLAIN, LIMITS).values, values)


@pytest.mark.parametrize("kind", ["complex64", "float32"])
def test_what_has_no_meaning_as_an_image_is_refused(folder: Path, kind: str) -> None:
    values = noise("f4", (5, 6, 2)).astype(kind)
    path = written(folder / "a.tif", values, photometric="miniswhite" if kind == "float32" else "minisblack")
    with pytest.raises(ValueError, match="cannot be told from floats" if kind == "float32" else "array of numbers"):
        read(path, PLAIN, LIMITS)
