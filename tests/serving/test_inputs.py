"""Requests from strangers: pictures and texts are read, everything else is named row by row."""

from __future__ import annotations

import base64
import io
import re
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from tests.serving.asking import header
from tlx.columns import Image as Pictures
from tlx.columns import images
from tlx.columns.decoding import DEFAULT
from tlx.columns.formats.pixels import Array
from tlx.columns.input_spec import ImageSpec
from tlx.prediction.values import canonical
from tlx.serving import inputs
from tlx.serving.inputs import InvalidInput
from tlx.serving.limits import Limits


def encoded(image: Image.Image, kind: str = "PNG") -> str:
    stream = io.BytesIO()
    image.save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


def image(value: object) -> Array:
    """As a served model reads it: looked at, then decoded."""
    with tempfile.TemporaryDirectory() as folder:
        found: Array = canonical(Pictures("picture"), inputs.as_file(inputs.picture(value), Path(folder)), DEFAULT)
        return found


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_pictures_are_read(kind: str) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    read = image(encoded(Image.fromarray(pixels), kind))
    assert ((read if read.ndim == 2 else read[..., 0]) == pixels).all()  # a GIF is of colours
    assert (image("data:image/png;base64," + encoded(Image.fromarray(pixels))) == pixels).all()


def test_a_picture_with_another_behind_it_is_its_first(folder: Path) -> None:
    """As cameras write them: a JPEG to everybody else."""
    first, second = (np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8) for i in range(2))
    stream = io.BytesIO()
    options: dict[str, object] = {"save_all": True, "append_images": [Image.fromarray(second)], "quality": 95}
    Image.fromarray(first).save(stream, "MPO", **options)
    (folder / "two.jpg").write_bytes(stream.getvalue())
    Image.fromarray(first).save(folder / "one.jpg", quality=95)
    sent = image(base64.b64encode(stream.getvalue()).decode())
    assert (sent == Pictures("picture").read(folder / "two.jpg")).all()
    assert (sent == Pictures("picture").read(folder / "one.jpg")).all()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("hello world!", "not base64"),
        (base64.b64encode(b"no picture").decode(), "not a picture"),
        (base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"/>').decode(), "not a picture"),
        (encoded(Image.new("L", (40, 40)))[:60], "unreadable image: image file is truncated"),
        (5, "found int"),
        ([[1, 2], [3]], "lists of unequal lengths"),
        ([1, 2], "found [2] of int64"),
        ([[1.0, 300.0]], "found others"),
        ([[float("nan"), 0.0]], "found others"),
        ([["a"]], "nested lists"),
        ([[[[1]]]], "nested lists"),
        ([[]], "nested lists"),
        ([[10**400]], "nested lists"),
        (None, "found NoneType"),
        ("", "not a picture"),
    ],
)
def test_what_is_no_picture(value: object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(reason)):
        image(value)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (6, 8, 5)])
def test_pictures_are_read_from_nested_lists(shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape) % 256
    assert (image(pixels.tolist()) == pixels).all()
    assert image((pixels / 2).tolist()) == pytest.approx(pixels / 2)


def test_an_array_is_not_larger_than_a_picture_may_be() -> None:
    with pytest.raises(InvalidInput, match="8 x 6 pixels; at most 50"):
        inputs.picture(np.zeros((6, 8, 5)).tolist(), Limits(pixels=50))


def test_a_decompression_bomb_is_not_opened() -> None:
    """100 million grey pixels are some kilobytes of PNG."""
    bomb = encoded(Image.new("L", (10_000, 10_000)))
    assert len(bomb) < 200_000
    with pytest.raises(InvalidInput, match="10000 x 10000 pixels"):
        inputs.picture(bomb)


def test_every_bad_row_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        inputs.checked(["fine", 3, "fine", None], inputs.text)
    assert str(caught.value) == "row 1: expected a text, found int; row 3: expected a text, found NoneType"


@given(some.one_of(some.binary(max_size=300), some.text(max_size=300), some.none(), some.integers(), some.floats()))
def test_anything_is_read_or_refused(value: object) -> None:
    for given_value in (value, base64.b64encode(value).decode() if isinstance(value, bytes) else value):
        try:
            image(given_value)
        except InvalidInput:
            continue


SPEC = ImageSpec(3, 224, 224, (0.5,) * 3, (0.5,) * 3, crop=0.875)


@given(some.integers(1, 2**31 - 1), some.integers(1, 2**31 - 1))
def test_a_header_is_enough_to_refuse(width: int, height: int) -> None:
    """Whatever sides a picture claims, no more pixels than the limit are decoded or made by resizing it."""
    content = base64.b64decode(header(width, height))
    try:
        pixels = inputs.measured(content, Limits(), SPEC)
    except InvalidInput:
        tall = max(256 / height, 256 / width)
        assert max(width * height, width * tall * height * tall, width, height) > 0.9 * Limits().pixels
    else:
        assert width * height <= pixels <= Limits().pixels


@given(some.integers(1, 400), some.integers(1, 400), some.integers(1, 64), some.integers(1, 64), some.floats(0.3, 1))
def test_the_resized_size_is_foreseen(width: int, height: int, tall: int, wide: int, crop: float) -> None:
    spec = ImageSpec(1, tall, wide, (0.5,), (0.5,), crop=crop)
    seen: list[int] = []

    def note(tensor: torch.Tensor, size: list[int], **_: object) -> torch.Tensor:
        seen.append(max(1, size[0]) * max(1, size[1]))
        raise KeyError  # nothing need be resized

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tlx.columns.images.F.resize", note)
        with pytest.raises(KeyError):
            images.resize(torch.zeros(1, height, width), spec)
    assert inputs.resized_pixels(width, height, spec) == pytest.approx(seen[0], rel=0.02, abs=wide + tall)


def test_a_long_thin_picture_is_not_resized() -> None:
    with pytest.raises(InvalidInput, match=r"2000000 x 1 pixels would be .* crop it"):
        inputs.picture(header(2_000_000, 1), spec=SPEC)


def test_pixels_that_are_no_numbers_are_refused(folder: Path) -> None:
    looked = inputs.picture(encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"))
    sent = inputs.as_file(looked, folder)
    with pytest.raises(InvalidInput, match="holds NaN"):
        canonical(Pictures("picture", channels=1), sent, DEFAULT)


def test_the_tiles_of_a_small_picture_may_not_be_large() -> None:
    tags = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 16}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    with pytest.raises(InvalidInput, match="4 x 4 pixels in tiles of 3,600,000,000"):
        image(base64.b64encode(content).decode())


@pytest.mark.parametrize(
    ("value", "reason"), [("a" * 100_001, "100,001 letters; at most"), ("a\ud800", "half a letter at 1")]
)
def test_what_is_no_text(value: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        inputs.text(value)


def test_a_refusal_stays_short() -> None:
    with pytest.raises(InvalidInput) as caught:
        inputs.checked([None] * 5000, inputs.text)
    assert str(caught.value).endswith("row 9: expected a text, found NoneType; and 4990 more")
    with pytest.raises(InvalidInput) as caught:
        inputs.columns(["\x1b[31m" + "a" * 5000] * 5000, ["text"])
    assert len(str(caught.value)) < 1200
    assert str(caught.value).isprintable()
