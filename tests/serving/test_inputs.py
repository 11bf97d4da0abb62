"""Requests from strangers: pictures and texts are read, everything else is named row by row."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from tlx.serving import inputs
from tlx.serving.inputs import Unusable


def encoded(image: Image.Image, kind: str = "PNG") -> str:
    stream = io.BytesIO()
    image.save(stream, kind)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_pictures_are_read(kind: str) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    read = inputs.image(encoded(Image.fromarray(pixels), kind))
    assert ((read if read.ndim == 2 else read[..., 0]) == pixels).all()  # a GIF is of colours
    assert (inputs.image("data:image/png;base64," + encoded(Image.fromarray(pixels))) == pixels).all()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("hello world!", "not base64"),
        (base64.b64encode(b"no picture").decode(), "not a picture"),
        (base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"/>').decode(), "not a picture"),
        (encoded(Image.new("L", (40, 40)))[:60], "not a picture"),
        (5, "found int"),
        (None, "found NoneType"),
        ("", "not a picture"),
    ],
)
def test_what_is_no_picture(value: object, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        inputs.image(value)


def test_a_decompression_bomb_is_not_opened() -> None:
    """100 million grey pixels are some kilobytes of PNG."""
    bomb = encoded(Image.new("L", (10_000, 10_000)))
    assert len(bomb) < 200_000
    with pytest.raises(Unusable, match="10000 x 10000 pixels"):
        inputs.image(bomb)


def test_every_bad_row_is_named() -> None:
    with pytest.raises(Unusable) as caught:
        inputs.checked(["fine", 3, "fine", None], inputs.text)
    assert str(caught.value) == "row 1: expected a text, found int; row 3: expected a text, found NoneType"


@given(some.one_of(some.binary(max_size=300), some.text(max_size=300), some.none(), some.integers(), some.floats()))
def test_anything_is_read_or_refused(value: object) -> None:
    for given_value in (value, base64.b64encode(value).decode() if isinstance(value, bytes) else value):
        try:
            inputs.image(given_value)
        except Unusable:
            continue
