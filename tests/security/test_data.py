"""Data that others made: pictures that would become large, files that are none, a cache that fails."""

from __future__ import annotations

import os
import socket
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from tlx.columns import images
from tlx.columns.decoding import array_of, decode
from tlx.columns.formats.pixels import ReadAs, TooLarge
from tlx.columns.input_spec import ImageSpec
from tlx.config.cache import cache_folder
from tlx.config.dataset import Glyphs, ImageFolder, Table
from tlx.config.dataset_parts import Limits
from tlx.config.errors import DataError
from tlx.data.fingerprint import fingerprint
from tlx.data.module import Data
from tlx.data.sources import glyphs
from tlx.data.sources.table import load

SPEC = ImageSpec(3, 8, 8, (0.5,) * 3, (0.25,) * 3)


def png(path: Path, width: int, height: int) -> Path:
    """A black image, made line by line: 50 000 000 x 1 pixels take 50 KB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(9)
    lines = b"".join(packer.compress(b"\0" + bytes(width)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", lines), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.fixture
def root(folder: Path) -> Path:
    """Two classes in three splits, all sound."""
    for split in ("train", "val", "test"):
        for name in ("a", "b"):
            for i in range(2):
                png(folder / "photos" / split / name / f"{i}.png", 8, 8)
    return folder / "photos"


def data(root: Path, on_bad: str = "error", **limits: int) -> Data:
    """The folder as data of a trial, for a backbone of 8 x 8."""
    found = Data(ImageFolder(root=str(root), on_bad=on_bad, limits=Limits(**limits)), seed=0, batch_size=2)
    found.leave_out({"image": SPEC})
    found.prepare({"image": SPEC})
    return found


def refused(make: Callable[[], object]) -> dict[str, str]:
    """The problems of data that are refused, by key."""
    with pytest.raises(DataError) as caught:
        make()
    return {problem.key: f"{problem.value} {problem.message}" for problem in caught.value.problems}


# Images


def test_a_line_of_fifty_million_pixels_is_named_or_left_out(root: Path) -> None:
    bomb = png(root / "train" / "a" / "bomb.png", 50_000_000, 1)
    message = refused(lambda: data(root))[str(bomb)]
    assert "50,000,000 x 1 pixels" in message
    assert "dataset.limits.resized_pixels" in message
    skipped = data(root, "skip")
    assert skipped.schema.counts["train"] == 4
    assert any(str(bomb) in note for note in skipped.source.notes)


def test_too_many_pixels_are_named_by_the_header_and_by_what_is_remembered(root: Path) -> None:
    large = png(root / "test" / "b" / "large.png", 100, 100)
    assert data(root).schema.counts["test"] == 5
    message = refused(lambda: data(root, pixels=9_999))[str(large)]
    assert "100 x 100 pixels" in message
    assert "dataset.limits.pixels" in message
    assert data(root, "skip", pixels=9_999).schema.counts["test"] == 4
    assert data(root, pixels=10_000).schema.counts["test"] == 5


def test_a_raised_limit_is_above_that_of_pil(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    large = png(root / "test" / "b" / "large.png", 100, 100)
    assert array_of(large, Limits(pixels=10_000)).shape == (100, 100)
    assert Image.MAX_IMAGE_PIXELS == 100


@given(height=some.integers(1, 5000), width=some.integers(1, 5000), most=some.integers(1, 10**6))
def test_nothing_is_resized_to_more_than_the_limit(height: int, width: int, most: int) -> None:
    tall, wide = images.resized_to(height, width, SPEC)
    values = np.zeros((height, width), np.uint8)
    if tall * wide > most:
        with pytest.raises(TooLarge, match=r"dataset\.limits\.resized_pixels"):
            images.prepare(values, SPEC, Limits(resized_pixels=most))
    elif height * width < 10**5:
        assert tuple(images.prepare(values, SPEC, Limits(resized_pixels=most)).shape) == (3, 8, 8)


def test_a_served_image_has_the_limit_as_well() -> None:
    with pytest.raises(TooLarge, match="would be resized"):
        images.resize(torch.empty(1, 1, 50_000_000), SPEC)


def header(shape: Any, kind: str = "'<f8'", more: bytes = b"") -> bytes:
    """A file of numpy's that says what is wanted of it."""
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + more


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("(1000000, 1000000, 3)"), "at most 178,956,970 pixels"),
        (header("(1000, 1000)"), "claims 8,000,000 bytes of pixels, but holds 0"),
        (header("(1, 1, 1000000000000)"), "dataset.layout=hwc"),
        (header("(0, 4, 3)"), "without pixels"),
        (header("(-1, 4, 3)"), "without pixels"),
        (header("(4, 4)", "'|O'", b"pickle"), "expected an array of numbers"),
        (header("(4, 4)", "'<U1000000'"), "expected an array of numbers"),
        (header("(4, 4)", "[('a', '<f8')]", bytes(128)), "expected an array of numbers"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "ValueError"),
        (b"PK\x03\x04", "ValueError"),
    ],
)
def test_an_array_is_believed_as_far_as_its_file_goes(root: Path, content: bytes, message: str) -> None:
    path = root / "train" / "a" / "x.npy"
    path.write_bytes(content)
    assert message in refused(lambda: data(root))[str(path)]
    assert data(root, "skip").schema.counts["train"] == 4


@given(shape=some.lists(some.integers(-2, 40), max_size=5), size=some.integers(0, 4000))
def test_any_header_of_an_array(folder: Path, shape: list[int], size: int) -> None:
    path = folder / "x.npy"
    path.write_bytes(header(tuple(shape), "'|u1'", bytes(size)))
    sound = len(shape) in (2, 3) and min(shape) > 0 and int(np.prod(shape)) <= size
    if sound:
        assert list(decode(path, ReadAs("hwc")).values.shape) == shape
    else:
        with pytest.raises(ValueError, match=r"expected an array|without pixels|claims"):
            decode(path, ReadAs("hwc"))


def test_numbers_of_the_other_byte_order_are_the_same(folder: Path) -> None:
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    np.save(folder / "here.npy", values)
    np.save(folder / "there.npy", values.astype(">u2"))
    np.testing.assert_array_equal(array_of(folder / "here.npy"), array_of(folder / "there.npy"))


def test_postscript_is_no_picture(root: Path) -> None:
    """PIL would run Ghostscript to read it."""
    path = root / "train" / "a" / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n")
    assert "cannot identify" in refused(lambda: data(root))[str(path)]


# Folders


def test_pipes_sockets_and_loose_links_are_named_and_never_opened(root: Path) -> None:
    place = root / "train" / "a"
    os.mkfifo(place / "pipe.png")
    (place / "loop.png").symlink_to("loop.png")
    (place / "up").symlink_to("..")
    (root / "train" / "self").mkdir()
    (root / "train" / "self" / "photo.png").symlink_to("../b/0.png")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(place)  # a socket's name may have about a hundred letters
        listener.bind("socket.png")
        os.chdir(root)
        found = data(root)
    assert found.schema.counts["train"] == 5
    (note,) = (note for note in found.source.notes if "no file is behind them" in note)
    assert "3 names were left out" in note
    assert "first loop.png, a link that leads nowhere" in note


def test_a_table_of_pipes_names_them(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    rows = [f"{png(folder / f'{i}.png', 4, 4).name},{'ab'[i % 2]}" for i in range(20)]
    long = "x" * 5000
    (folder / "a.csv").write_text("\n".join(["image,label", "pipe.png,a", "nul\0.png,a", f"{long},b", *rows]))
    config = Table(file="a.csv", modality="image", input="image", on_bad="error")
    problems = refused(lambda: Data(config, seed=0, batch_size=2))
    assert "found a pipe" in problems["a.csv:2"]
    assert {"a.csv:3", "a.csv:4"} <= problems.keys()


def test_a_pipe_instead_of_a_table_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "a.csv")
    assert "found a pipe" in refused(lambda: fingerprint(Table(file="a.csv")))["a.csv"]
    assert "found a pipe" in refused(lambda: load(Table(file="a.csv")))["dataset.file"]


# The cache is optional


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that nobody can make, root neither."""
    monkeypatch.setenv("TLX_CACHE", "/proc/tlx")


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_a_trial_goes_on_and_says_so(root: Path) -> None:
    time.sleep(0.05)  # a file of this very tick could change unseen: its hash is not remembered, cache or not
    with pytest.warns(UserWarning, match="hashes of the data are not remembered: the cache cannot be written"):
        found = data(root)
    assert len([note for note in found.source.notes if "not remembered" in note]) == 1
    assert "rendered each time" in glyphs.load(Glyphs(n_train=30, n_val=30, n_test=30)).notes[0]


@pytest.mark.parametrize("content", ["[1, 2]", '{"a": 1}', '{"a": [1, "x"]}', "[" * 200_000, "", "\0", "1e999"])
def test_a_cache_of_another_form_is_none(root: Path, content: str) -> None:
    before = fingerprint(ImageFolder(root=str(root)))
    data(root)
    for kind in ("hashes", "vetted"):
        for file in cache_folder(kind).glob("*.json"):
            file.write_text(content)
    assert data(root).fingerprint == before


def test_a_torn_archive_of_glyphs_is_made_again() -> None:
    config = Glyphs(n_train=30, n_val=30, n_test=30)
    first = glyphs.load(config).rows["image"]
    (file,) = (file for file in cache_folder("glyphs").glob("*.npz") if file.stem == fingerprint(config))
    for content in (b"", b"PK\x03\x04", file.read_bytes()[:5000]):
        file.write_bytes(content)
        np.testing.assert_array_equal(glyphs.load(config).rows["image"], first)
