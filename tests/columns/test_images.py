"""From files to tensors: no depth lost, channels by rule, and the evaluation transform of timm and torchvision."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image as pictures
from timm.data import create_transform
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from tlx._compat import image_decoders
from tlx.columns import images
from tlx.columns.decoding import array_of
from tlx.columns.formats import FORMATS
from tlx.columns.input_spec import ImageSpec

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LEVEL = 1 / 255 / min(STD)  # one grey level of 255, after normalisation
Array = npt.NDArray[Any]


def noise(*shape: int, low: int = 64, high: int = 192) -> Array:
    """Random pixels; the default range leaves room for the overshoot of cubic interpolation."""
    return np.random.default_rng(0).integers(low, high, size=shape, dtype=np.uint8)


def spec(size: int = 112, interpolation: str = "bilinear", crop: float = 0.875, width: int | None = None) -> ImageSpec:
    """Three channels with the statistics of ImageNet."""
    return ImageSpec(3, size, width or size, MEAN, STD, interpolation, crop)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
def test_sixteen_bits_are_kept(folder: Path, name: str) -> None:
    values = np.array([[0, 255, 256], [1000, 32768, 65535]], dtype=np.uint16)
    if name == "a.npy":
        np.save(folder / name, values)
    else:
        pictures.fromarray(values).save(folder / name)
    found = array_of(folder / name)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, values)


def test_colour_grey_and_palette(folder: Path) -> None:
    colour, grey = noise(5, 7, 3), noise(5, 7)
    pictures.fromarray(colour).save(folder / "rgb.png")
    pictures.fromarray(grey).save(folder / "grey.png")
    indexed = pictures.fromarray(colour).quantize(200)
    indexed.save(folder / "palette.png")
    pictures.fromarray(grey > 128).save(folder / "bits.png")
    np.testing.assert_array_equal(array_of(folder / "rgb.png"), colour)
    np.testing.assert_array_equal(array_of(folder / "grey.png"), grey)
    palette = np.array(indexed.getpalette(), dtype=np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(array_of(folder / "palette.png"), palette[np.asarray(indexed)])
    np.testing.assert_array_equal(array_of(folder / "bits.png"), (grey > 128) * 255)


@pytest.mark.parametrize("alpha", [255, 128, 0])
def test_transparency_is_laid_over_black(folder: Path, alpha: int) -> None:
    colour = noise(4, 4, 3)
    pictures.fromarray(np.dstack([colour, np.full((4, 4), alpha, np.uint8)])).save(folder / "a.png")
    np.testing.assert_allclose(array_of(folder / "a.png"), colour * (alpha / 255), atol=1)


def test_arrays_of_many_channels(folder: Path) -> None:
    values = np.random.default_rng(0).integers(65536, size=(16, 15, 13)).astype(np.uint16)
    np.save(folder / "a.npy", values)
    np.testing.assert_array_equal(array_of(folder / "a.npy"), values)
    assert tuple(images.planes(values.astype(np.float32), 13).shape) == (13, 16, 15)
    with pytest.raises(ValueError, match="13 channels, the backbone reads 3"):
        images.planes(values.astype(np.float32), 3)


def test_an_array_that_is_no_image(folder: Path) -> None:
    np.save(folder / "a.npy", np.zeros(5))
    with pytest.raises(ValueError, match=r"expected an array \[h, w\]"):
        array_of(folder / "a.npy")


def test_channels_are_matched_by_rule() -> None:
    grey, colour = noise(4, 5), noise(4, 5, 3)
    for values in (grey, grey[:, :, None]):
        np.testing.assert_array_equal(images.planes(values, 1), grey[None])
        np.testing.assert_array_equal(images.planes(values, 3), np.stack([grey] * 3))
    np.testing.assert_array_equal(images.planes(colour, 3), colour.transpose(2, 0, 1))
    luma = np.asarray(pictures.fromarray(colour).convert("L"), dtype=np.float32)
    np.testing.assert_allclose(images.planes(colour, 1)[0], luma, atol=1.0)


def test_normalise() -> None:
    values = noise(4, 5, 3, low=0, high=255)
    expected = (values / 255 - np.array(MEAN)) / np.array(STD)
    found = spec().normalise(images.planes(values, 3))
    np.testing.assert_allclose(found.permute(1, 2, 0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("crop", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width"), [(300, 421), (421, 300), (160, 180)])
def test_prepare_is_the_evaluation_of_timm(interpolation: str, crop: float, height: int, width: int) -> None:
    """Within 1.5 grey levels: PIL rounds to whole levels after each direction, floats do not; bytes at the end."""
    values = noise(height, width, 3)
    transform = create_transform((3, 224, 224), interpolation=interpolation, mean=MEAN, std=STD, crop_pct=crop)
    expected = transform(pictures.fromarray(values))
    wanted = spec(224, interpolation, crop)
    for array in (values, values.astype(np.float32)):
        found = wanted.as_floats(images.prepare(array, wanted)[None])[0]
        torch.testing.assert_close(found, expected, rtol=0, atol=(1.5 if array.dtype == np.float32 else 2.5) * LEVEL)


def test_prepare_keeps_the_shape_of_things_for_inputs_that_are_not_square() -> None:
    values = noise(150, 150, 3)
    transform = create_transform((3, 64, 96), interpolation="bilinear", mean=MEAN, std=STD, crop_pct=0.8)
    wanted = spec(64, crop=0.8, width=96)
    found = wanted.normalise(images.prepare(values, wanted))
    torch.testing.assert_close(found, transform(pictures.fromarray(values)), rtol=0, atol=1.5 * LEVEL)


def test_prepare_is_the_evaluation_of_torchvision() -> None:
    values = noise(150, 211, 3)
    preset = ImageClassification(crop_size=112, resize_size=128, interpolation=InterpolationMode.BILINEAR)
    expected = preset(pictures.fromarray(values))
    torch.testing.assert_close(spec().normalise(images.prepare(values, spec())), expected, rtol=0, atol=1.5 * LEVEL)


def test_cubic_interpolation_stays_black_and_white() -> None:
    """PIL cuts the overshoot at an edge; a backbone trained on PIL's images has never seen it."""
    values = np.zeros((150, 150, 3), np.uint8)
    values[:, 75:] = 255
    for array in (values, values.astype(np.float32)):
        pixels = spec(64, "bicubic").as_floats(images.prepare(array, spec(64, "bicubic"))[None])[0]
        pixels = (pixels * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]) * 255
        assert -0.5 <= float(pixels.min()) <= float(pixels.max()) <= 255.5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "crop"), [(8, 1.0), (32, 0.875), (12, 1.0)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_prepare_all_is_prepare_of_each(channels: int, side: int, crop: float, kind: Any) -> None:
    stack = noise(5, 12, 12, low=0, high=255).astype(kind)
    wanted = ImageSpec(channels, side, side, MEAN[:channels], STD[:channels], "bilinear", crop)
    each = torch.stack([images.prepare(image, wanted) for image in stack])
    torch.testing.assert_close(images.prepare_all(stack, wanted), each, rtol=1e-5, atol=1e-5)


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def filtered(values: Array, kinds: list[int]) -> bytes:
    """Rows of bytes by the filters of PNG: none, left, up, average and Paeth's."""
    raw = values.astype(">u2").view(np.uint8).reshape(len(values), -1).astype(int)
    wide, rows = 2 * values.shape[2], []
    for y, row in enumerate(raw):
        up = raw[y - 1] if y else row * 0
        left, corner = (np.concatenate([np.zeros(wide, int), one])[: len(one)] for one in (row, up))
        near = np.abs(np.stack([up - corner, left - corner, left + up - 2 * corner])).argmin(0)
        paeth = np.choose(near, [left, up, corner])
        kind = kinds[y % len(kinds)]
        rows.append(bytes([kind, *(row - [row * 0, left, up, (left + up) // 2, paeth][kind]) % 256]))
    return b"".join(rows)


def png16(
    values: Array, kind: int, *more: tuple[bytes, bytes], filters: list[int] | None = None, interlaced: bool = False
) -> bytes:
    """A PNG of 16 bits by its specification; ``kind``: 0 grey, 2 colours, 4 and 6 with alpha."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = values.shape[:2]
    passes = [values[y::down, x::right] for y, x, down, right in ADAM7] if interlaced else [values]
    rows = b"".join(filtered(one, filters or [0]) for one in passes if one.size)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, interlaced)
    parts = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@given(
    some.integers(1, 12),
    some.integers(1, 12),
    some.sampled_from([(0, 1), (2, 3), (4, 2), (6, 4)]),
    some.lists(some.integers(0, 4), min_size=1, max_size=5),
    some.booleans(),
)
def test_any_png_of_sixteen_bits(height: int, width: int, of: tuple[int, int], filters: list[int], lace: bool) -> None:
    values = np.random.default_rng(height).integers(65536, size=(height, width, of[1])).astype(np.uint16)
    content = png16(values, of[0], filters=filters, interlaced=lace)
    np.testing.assert_array_equal(image_decoders.png(io.BytesIO(content)), values)


@pytest.mark.parametrize(
    ("kind", "channels", "key"),
    [(0, 1, False), (0, 1, True), (2, 3, False), (2, 3, True), (4, 2, False), (6, 4, False)],
)
def test_pictures_of_sixteen_bits_keep_them(folder: Path, kind: int, channels: int, key: bool) -> None:
    """Colours and transparency, too, of which PIL keeps eight; ``key``: one colour stands for nothing.

    The specification has none beside alpha.
    """
    values = np.random.default_rng(kind).integers(65536, size=(9, 7, channels)).astype(np.uint16)
    more = [(b"tRNS", values[2, 3].astype(">u2").tobytes())] if key else []
    (folder / "a.png").write_bytes(png16(values, kind, *more))
    expected = values.astype(np.float64)
    if kind > 2:
        expected = expected[..., :-1] * expected[..., -1:] / 65535
    if key:
        expected[2, 3] = 0
    expected = np.broadcast_to(expected, (9, 7, 3)) if (channels == 1 and key) or kind == 4 else expected
    for found in (array_of(folder / "a.png"), array_of(pictures.open(folder / "a.png"))):
        assert found.dtype == np.uint16
        np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=0.5)


UPRIGHT = {  # what a viewer does with the stored image, by EXIF's tag
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def keeps_exif(suffix: str) -> bool:
    """Does PIL write the tags of photos into such files, and find them there?"""
    kept, file = pictures.Exif(), io.BytesIO()
    kept[0x0112] = 6
    try:
        pictures.fromarray(noise(8, 8, 3)).save(file, pictures.registered_extensions().get(suffix), exif=kept)
        return pictures.open(file).getexif().get(0x0112) == 6
    except (KeyError, OSError, ValueError):
        return False


LOSSY = (".jpg", ".jpeg", ".jfif", ".avif")
WITH_EXIF = [suffix for suffix in FORMATS if keeps_exif(suffix)]


def test_formats_of_photos_are_among_those_with_exif() -> None:
    assert {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff"} <= set(WITH_EXIF)


@pytest.mark.parametrize("suffix", WITH_EXIF)
@pytest.mark.parametrize("tag", UPRIGHT)
@pytest.mark.parametrize("colours", [True, False])
def test_images_stand_upright(folder: Path, tag: int, suffix: str, colours: bool) -> None:
    stored = noise(8, 24, 3) if colours else noise(8, 24)
    kept, file = pictures.Exif(), folder / f"a{suffix}"
    kept[0x0112] = tag
    lossless: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    pictures.fromarray(stored).save(file, exif=kept, **lossless)
    if suffix in LOSSY:  # it is not what was saved
        with pictures.open(file) as as_stored:
            stored = np.asarray(as_stored)
    found = array_of(file)
    grey_webp = suffix == ".webp" and not colours  # which has no grey
    np.testing.assert_array_equal(found[..., 0] if grey_webp else found, UPRIGHT[tag](stored))
