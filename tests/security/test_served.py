"""Requests by strangers to a served model: whatever they send, the answer is a reason, never a trace or a path."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette

import tlx
from tests.serving.asking import ask, encoded, header, picture, records
from tests.serving.conftest import Exported, pictures, texts  # noqa: F401 (fixtures)
from tlx.serving import bundle, http
from tlx.serving.answers import Answerer
from tlx.serving.limits import Limits

LIMITS = Limits(pixels=1_000_000, total_pixels=2_000_000)
LEAVES = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20)
TREES = some.recursive(
    LEAVES | some.sampled_from([picture(), "a text"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("dataframe_records", "dataframe_split", "instances", "inputs", "params", "columns", "data", "image", "text")


def clean(answer: tuple[int, str]) -> int:
    """The status of an answer that shows nothing of the server."""
    status, text = answer
    assert status == 200 or 400 <= status < 500, answer
    for secret in ("Traceback", 'File "', str(Path(tlx.__file__).parent), sys.prefix, str(Path.home()) + "/"):
        assert secret not in text
    assert "\x1b" not in text
    return status


@pytest.fixture(scope="module")
def images(pictures: Exported) -> Starlette:  # noqa: F811
    return http.app(Answerer(bundle.read(pictures.bundle), LIMITS), "1")


@pytest.fixture(scope="module")
def words(texts: Exported) -> Starlette:  # noqa: F811
    return http.app(Answerer(bundle.read(texts.bundle), Limits(letters=100, total_letters=150, rows=4)), "1")


@given(TREES, some.sampled_from(KEYS), some.sampled_from(KEYS))
def test_any_json(images: Starlette, words: Starlette, tree: Any, outer: str, inner: str) -> None:
    for body in (tree, {outer: tree}, {outer: [tree]}, {outer: {inner: tree}}, {outer: [{inner: tree}]}):
        content = json.dumps(body).encode()
        assert clean(ask(images, content)) in (200, 400)
        assert clean(ask(words, content)) in (200, 400)


@given(some.binary(max_size=80), some.sampled_from(["application/json", "text/csv", "text/csv; charset=x", "\x00", ""]))
def test_any_bytes(images: Starlette, content: bytes, kind: str) -> None:
    clean(ask(images, content, kind))


@given(
    some.integers(0, 2**31),
    some.integers(0, 2**31),
    some.sampled_from([1, 2, 4, 8, 16]),
    some.sampled_from([0, 2, 3, 4, 6]),
)
def test_any_header_of_a_picture(images: Starlette, width: int, height: int, depth: int, colours: int) -> None:
    assert clean(ask(images, records(header(width, height, depth, colours)))) in (200, 400)


@given(some.data(), some.sampled_from(["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"]))
def test_any_damage_to_a_picture(images: Starlette, data: some.DataObject, kind: str) -> None:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(some.integers(1, 4))):
        content[data.draw(some.integers(0, min(len(content) - 1, 200)))] = data.draw(some.integers(0, 255))
    assert clean(ask(images, records(encoded(bytes(content))))) in (200, 400)


@given(some.text(max_size=120), some.integers(0, 6))
def test_any_text(words: Starlette, text: str, count: int) -> None:
    body = json.dumps({"instances": [text] * count}).encode()
    status = clean(ask(words, body))
    sound = len(text) <= 100 and count <= 4 and len(text) * count <= 150 and text.isprintable() and bool(text.strip())
    assert status == 200 if sound else status in (200, 400)


@settings(max_examples=max(1, settings().max_examples // 2))
@given(some.integers(17, 200_000), some.sampled_from(['{"a":', "[", '{"instances":[', '[{"a":[']))
def test_any_depth(images: Starlette, depth: int, opening: str) -> None:
    for body in (opening * depth, opening * depth + "1" + "]" * depth):
        assert clean(ask(images, body.encode())) == 400


@given(some.text(some.characters(max_codepoint=255), max_size=30))
def test_any_other_host(images: Starlette, host: str) -> None:
    status = clean(ask(images, records(picture()), host=host))
    assert status == 400 or host.lower().rpartition(":")[0] in http.LOCAL or host.lower() in http.LOCAL


def test_a_thousand_pictures_of_a_few_bytes(images: Starlette) -> None:
    """S8: small rows that are large together."""
    bomb = header(999, 999)
    status, text = ask(images, records(*[bomb] * 40))
    assert (clean((status, text)), "39,920,040 pixels in all pictures" in text) == (400, True)
    assert clean(ask(images, records(*[picture()] * 257))) == 400


def test_s7_a_picture_as_long_as_it_can_be(images: Starlette) -> None:
    for width, height in ((50_000_000, 1), (1, 50_000_000), (900_000, 1), (1, 900_000)):
        assert clean(ask(images, records(header(width, height)))) == 400
