"""DICOM files: those that pydicom ships, and made ones, against pydicom's own functions and the raw bytes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from tests.columns.formats.dicom_files import made, shipped
from tests.columns.formats.strategies import LIMITS, PLAIN, noise
from tlx.columns import Image
from tlx.columns.formats import NotInstalled, dicom, dicom_codecs, read
from tlx.columns.formats.pixels import TooLarge

GREY = ["CT_small", "MR_small", "MR_small_bigendian", "MR_small_implicit", "MR_small_RLE", "MR_small_jp2klossless"]
GREY += ["MR_small_jpeg_ls_lossless", "JPEG2000", "J2K_pixelrep_mismatch", "examples_overlay", "rtdose_1frame"]
COLOURED = ["SC_rgb_rle", "SC_rgb_rle_16bit", "SC_rgb_jpeg_gdcm", "SC_rgb_small_odd_big_endian"]
COLOURED += ["SC_rgb_dcmtk_+eb+cy+n2", "SC_ybr_full_422_uncompressed", "SC_rgb_jls_lossy_line", "examples_rgb_color"]


@pytest.mark.parametrize("name", GREY)
def test_grey_values_are_those_that_the_file_means(name: str) -> None:
    header = pydicom.dcmread(shipped(name))
    meant = apply_modality_lut(pixel_array(shipped(name)), header)
    found = read(shipped(name), PLAIN, LIMITS)
    np.testing.assert_allclose(found.values, meant, rtol=1e-6)
    assert found.range is not None
    assert found.range[0] <= meant.min() <= meant.max() <= found.range[1]
    rescaled = (header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0)) != (1, 0)
    assert found.values.dtype == (np.dtype("f4") if rescaled else pixel_array(shipped(name)).dtype.newbyteorder("="))
    for own in dicom.windows(shipped(name))[0]:
        shown = read(shipped(name), replace(PLAIN, window=(own,)), LIMITS).values
        header.WindowCenter, header.WindowWidth = own
        least, most = found.range
        np.testing.assert_allclose(shown, (apply_voi_lut(meant, header) - least) / (most - least) * 255, atol=0.02)


def test_values_are_the_raw_bytes_of_the_file() -> None:
    raw = shipped("CT_small").read_bytes()
    stored = np.frombuffer(raw[raw.rindex(b"\xe0\x7f\x10\x00OW") + 12 :][: 128 * 128 * 2], "<i2").reshape(128, 128)
    np.testing.assert_array_equal(read(shipped("CT_small"), PLAIN, LIMITS).values, stored - 1024)


@pytest.mark.parametrize("name", COLOURED)
def test_colours_are_red_green_and_blue(name: str) -> None:
    found = read(shipped(name), PLAIN, LIMITS)
    np.testing.assert_array_equal(found.values, pixel_array(shipped(name), raw=False, index=0))
    assert found.values.shape[2] == 3
    with pytest.raises(ValueError, match=r"dataset\.window is for one channel, there are 3"):
        read(shipped(name), replace(PLAIN, window=((40, 80),)), LIMITS)


def test_palettes_are_colours() -> None:
    header = pydicom.dcmread(shipped("examples_palette"))
    found = read(shipped("examples_palette"), PLAIN, LIMITS).values
    np.testing.assert_array_equal(found, apply_color_lut(header.pixel_array, header) >> 8)
    assert found.dtype == np.uint8


@pytest.mark.parametrize(
    "lossless", ["MR_small_jpeg_ls_lossless", "MR_small_RLE", "MR_small_jp2klossless", "MR_small_expb"]
)
def test_every_packing_has_the_same_pixels(lossless: str) -> None:
    plain = read(shipped("MR_small"), PLAIN, LIMITS).values
    np.testing.assert_array_equal(read(shipped(lossless), PLAIN, LIMITS).values, plain)


@pytest.mark.parametrize("lossy", ["JPEG-lossy", "JPGExtended"])
def test_twelve_bits_of_jpeg(lossy: str) -> None:
    """Two values that pydicom's own tests have, as other decoders found them."""
    found = read(shipped(lossy), PLAIN, LIMITS)
    assert found.range == (0.0, 4095.0)
    assert (found.values[420, 140], found.values[230, 120]) == (244, 95)


@pytest.mark.parametrize("name", ["rtdose", "rtdose_rle", "rtdose_expb", "SC_rgb_rle_2frame", "examples_ybr_color"])
def test_frames_one_by_one(name: str) -> None:
    frames = int(pydicom.dcmread(shipped(name), stop_before_pixels=True).NumberOfFrames)
    for frame in (None, 0, 1, frames - 1):
        found = read(shipped(name), replace(PLAIN, frame=frame), LIMITS)
        index = frames // 2 if frame is None else frame
        np.testing.assert_array_equal(found.values, pixel_array(shipped(name), index=index))
        assert found.frames == frames
    with pytest.raises(ValueError, match=rf"there are {frames} frames"):
        read(shipped(name), replace(PLAIN, frame=frames), LIMITS)


def test_masks_of_one_bit() -> None:
    found = read(shipped("liver_1frame"), PLAIN, LIMITS)
    packed = pydicom.dcmread(shipped("liver_1frame")).PixelData
    bits = np.unpackbits(np.frombuffer(packed, "u1"), bitorder="little")[: 512 * 512].reshape(512, 512)
    np.testing.assert_array_equal(found.values, bits)
    assert found.range == (0, 1)


@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4"]),
    unused=st.integers(0, 6),
    slope=st.sampled_from([1, 2, -1, 0.5]),
    intercept=st.sampled_from([0, -1024, 3.5]),
    inverse=st.booleans(),
    seed=st.integers(0, 99),
)
def test_stored_bits_slope_and_inversion(
    folder: Path, dtype: str, unused: int, slope: float, intercept: float, inverse: bool, seed: int
) -> None:
    bits = 8 * np.dtype(dtype).itemsize - unused
    stored = noise(dtype, (5, 4), seed) >> unused
    kind = "MONOCHROME1" if inverse else "MONOCHROME2"
    path = made(
        folder / "a.dcm",
        stored,
        bits=bits,
        PhotometricInterpretation=kind,
        RescaleSlope=str(slope),
        RescaleIntercept=str(intercept),
    )
    ends = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if dtype[0] == "i" else [0, 2**bits - 1]
    least, most = sorted(end * slope + intercept for end in ends)
    meant = stored.astype(np.float64) * slope + intercept
    found = read(path, PLAIN, LIMITS)
    assert found.range == (least, most)
    np.testing.assert_allclose(found.values, least + most - meant if inverse else meant, rtol=1e-6, atol=1e-3)
    assert found.values.dtype == (np.dtype(dtype) if (slope, intercept) == (1, 0) else np.float32)
    windows = ((float(meant.mean()), 100.0), (0.0, 30000.0))
    shown = read(path, replace(PLAIN, window=windows), LIMITS).values
    usual = read(
        made(folder / "b.dcm", stored, bits=bits, RescaleSlope=str(slope), RescaleIntercept=str(intercept)),
        replace(PLAIN, window=windows),
        LIMITS,
    )
    np.testing.assert_allclose(shown, 255 - usual.values if inverse else usual.values, atol=1e-4)


def test_a_table_of_the_modality(folder: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [16, 0, 16], "US"
    table.LUTData = np.arange(0, 4096, 256).astype("<u2").tobytes()
    stored = np.arange(16, dtype="u1").reshape(4, 4)
    found = read(made(folder / "a.dcm", stored, ModalityLUTSequence=[table]), PLAIN, LIMITS)
    np.testing.assert_array_equal(found.values, stored.astype("u2") * 256)
    assert found.range == (0, 65535)


@pytest.mark.parametrize("name", ["MR_small", "CT_small"])
def test_files_without_the_first_part_are_read(folder: Path, name: str) -> None:
    bare = DicomBytesIO()
    bare.is_implicit_VR, bare.is_little_endian = True, True
    whole = pydicom.dcmread(shipped(name))
    whole.pop("PixelData")
    whole.PixelData = np.ascontiguousarray(pixel_array(shipped(name)), np.dtype("<i2")).tobytes()
    write_dataset(bare, whole)
    (folder / "a.ima").write_bytes(bare.getvalue())
    np.testing.assert_array_equal(
        read(folder / "a.ima", PLAIN, LIMITS).values, read(shipped(name), PLAIN, LIMITS).values
    )


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("rtplan", "holds no image: RT Plan Storage"),
        ("reportsi", "holds no image: Basic Text SR Storage"),
        ("MR_truncated", "claims 8,192 bytes of pixels, but holds 8,1"),
        ("image_dfl", "the whole file is deflated"),
    ],
)
def test_what_holds_no_image_is_named(name: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read(shipped(name), PLAIN, LIMITS)


def test_an_index_of_files_and_other_files_are_no_images(folder: Path) -> None:
    shutil.copy(str(get_testdata_file("DICOMDIR", download=False)), folder / "a.dcm")
    with pytest.raises(ValueError, match="holds no image: Media Storage Directory Storage"):
        read(folder / "a.dcm", PLAIN, LIMITS)
    (folder / "b.dcm").write_bytes(b"hello, this is a text" * 20)
    with pytest.raises(Exception, match=r"."):
        read(folder / "b.dcm", PLAIN, LIMITS)


@pytest.mark.parametrize("name", ["JPEGLSNearLossless_16", "SC_rgb_jpeg_gdcm", "JPGExtended"])
def test_what_is_missing_for_a_compression_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for syntax in dicom_codecs.SYNTAXES:
        monkeypatch.delitem(pydicom.pixels.get_decoder(syntax)._available, "imagecodecs")
    with pytest.raises(NotInstalled, match=r"compressed as JPEG.*: pip install 'tlx\[medical\]'"):
        read(shipped(name), PLAIN, LIMITS)


@pytest.mark.parametrize("name", ["SC_rgb_jpeg_gdcm", "MR_small_jpeg_ls_lossless", "SC_rgb_small_odd_jpeg", "JPEG2000"])
def test_a_picture_of_another_size_than_the_header_says_is_refused(folder: Path, name: str) -> None:
    whole = pydicom.dcmread(shipped(name))
    whole.Rows -= 1
    whole.save_as(folder / "a.dcm")
    with pytest.raises(Exception, match="holds a picture of"):
        read(folder / "a.dcm", PLAIN, LIMITS)


def test_what_is_too_large_is_refused_by_its_header(folder: Path) -> None:
    path = made(folder / "a.dcm", noise("u2", (4, 4)), Rows=60000, Columns=60000)
    with pytest.raises(TooLarge, match="60,000 x 60,000 pixels"):
        read(path, PLAIN, LIMITS)
    path = made(folder / "a.dcm", noise("u2", (4, 4)), NumberOfFrames=10**6)
    with pytest.raises(ValueError, match="claims 32,000,000 bytes of pixels, but holds"):
        read(path, PLAIN, LIMITS)


@pytest.mark.parametrize("intercept", [0, -1024])
def test_with_the_scale_of_types_white_is_what_the_file_says(folder: Path, intercept: int) -> None:
    """Eight bits beside twelve: each by the bits that it stores."""
    rng = np.random.default_rng(0)
    for bits, kind in ((8, np.uint8), (12, np.uint16)):
        stored = rng.integers(2**bits, size=(6, 5)).astype(kind)
        path = made(folder / f"{bits}.dcm", stored, bits=bits, RescaleSlope="2", RescaleIntercept=str(intercept))
        column = Image("image", channels=1, dtype="float32", scale_by="dtype")
        found = column.scaled(column.read(path))
        np.testing.assert_allclose(found, stored / (2**bits - 1) * 255, atol=1e-3)
