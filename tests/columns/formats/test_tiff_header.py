"""Headers of TIFF files that claim too much or make no sense: nothing is decoded."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import pytest

from tests.columns.formats.strategies import LIMITS, PLAIN
from tlx.columns.formats import read
from tlx.columns.formats.pixels import TooLarge


def page(**tags: int) -> bytes:
    """A file of one page and no pixels, with a picture as large as it likes."""
    known = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 200, 277: 5, 278: 8, 279: 320} | {
        int(tag[1:]): value for tag, value in tags.items()
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(known.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(known)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        ({"t256": 10**6, "t257": 10**6}, "1,000,000 x 1,000,000 pixels"),
        ({"t322": 10**6, "t323": 10**6}, "1,000,000 x 1,000,000 pixels"),
        ({"t277": 65535, "t256": 10**4}, "65535 channels"),
    ],
)
def test_what_is_too_large_is_refused_by_its_header(folder: Path, tags: dict[str, int], wrong: str) -> None:
    (folder / "a.tif").write_bytes(page(**tags))
    with pytest.raises(TooLarge, match=wrong):
        read(folder / "a.tif", PLAIN, LIMITS)


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        ({}, "claims 520 bytes, but holds"),
        ({"t273": 8, "t279": 20}, "needs 320 bytes of pixels, but has 20"),
        ({"t278": 4}, "should be in 2 parts"),
        ({"t256": 0}, "an image without pixels"),
        ({"t278": 0}, "is cut into parts of 8 x 0 pixels"),
        ({"t32997": 9}, "a page of 9 layers"),
        ({"t259": 34887, "t273": 8, "t279": 20}, "compression LERC of 5 channels of 8 bits is not read"),
        ({"t259": 7, "t273": 8, "t279": 20}, "compression JPEG of 5 channels"),
        ({"t262": 32803, "t279": 1, "t273": 8, "t259": 8}, "."),
    ],
)
def test_what_makes_no_sense_is_said(folder: Path, tags: dict[str, int], wrong: str) -> None:
    (folder / "a.tif").write_bytes(page(**tags))
    with pytest.raises(Exception, match=wrong):
        read(folder / "a.tif", PLAIN, LIMITS)


@pytest.mark.parametrize("code", [5, 8, 32773, 34925, 50000])
def test_what_unpacks_to_more_than_was_said_takes_no_memory(folder: Path, code: int) -> None:
    size = 1 << 24
    pack: dict[int, Callable[..., Any]] = {
        5: imagecodecs.lzw_encode,
        8: zlib.compress,
        34925: imagecodecs.lzma_encode,
        50000: imagecodecs.zstd_encode,
    }
    bomb = pack[code](bytes(size)) if code in pack else b"\x81\0" * (size // 128)
    (folder / "a.tif").write_bytes(page(t259=code, t279=len(bomb)).ljust(200, b"\0") + bomb)
    tracemalloc.start()
    try:
        assert read(folder / "a.tif", PLAIN, LIMITS).values.shape == (8, 8, 5)
    except (RuntimeError, ValueError):  # of imagecodecs
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < size // 4


def test_pages_in_a_circle_end(folder: Path) -> None:
    circle = page()[:-4] + struct.pack("<I", 8)
    (folder / "a.tif").write_bytes(circle)
    with pytest.raises(ValueError, match="round in a circle"):
        read(folder / "a.tif", PLAIN, LIMITS)
