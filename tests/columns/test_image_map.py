"""A map of images in two files: whoever writes, is killed or loses bytes, nobody reads a wrong image."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tlx.columns.image_map import PIXELS, SUMS, ImageMap, MappedImages
from tlx.columns.kept_images import KeptImages

SHAPE = (3, 8, 8)
forked = get_context("fork")
COUNT = 40
IMAGES = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8))


def opened(folder: Path, is_unchanged: Callable[[int], bool] = lambda row: True) -> ImageMap:
    if not (folder / SUMS).exists():
        folder.mkdir(exist_ok=True)
        ImageMap.create(folder, COUNT, SHAPE)
    return ImageMap(folder, COUNT, SHAPE, is_unchanged)


def readable(folder: Path) -> list[int]:
    """The images that somebody finds who opens the map now, each of which has to be right."""
    found, there = opened(folder), []
    for row in range(COUNT):
        if (image := found.get(row)) is not None:
            assert torch.equal(image, IMAGES[row])
            there.append(row)
    return there


def write_on(folder: Path, seed: int) -> None:
    """Write all images again and again in a random order."""
    found, rng = opened(folder), np.random.default_rng(seed)
    while True:
        found.put(row := int(rng.integers(COUNT)), IMAGES[row])


def test_writers_that_are_killed_leave_nothing_wrong(folder: Path) -> None:
    place = folder / "map"
    opened(place)
    for seed in range(4):
        writers = [forked.Process(target=write_on, args=(place, 2 * seed + one)) for one in range(2)]
        for one in writers:
            one.start()
        time.sleep(0.02)
        readable(place)  # while they write
        for one in writers:
            assert one.pid is not None
            os.kill(one.pid, signal.SIGKILL)
            one.join()
        readable(place)
    assert readable(place)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.integers(0, COUNT - 1), max_size=8),
    place=st.integers(0, 2**20),
    file=st.booleans(),
    byte=st.integers(1, 255),
)
def test_a_byte_that_is_lost_loses_its_image_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], place: int, file: bool, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("map")
    found = opened(folder)
    for row in rows:
        assert found.put(row, IMAGES[row])
    path, size = folder / (SUMS if file else PIXELS), 8 if file else int(np.prod(SHAPE))
    content = bytearray(path.read_bytes())
    begin = len(content) - COUNT * size
    at = begin + place % (COUNT * size)
    content[at] ^= byte
    path.write_bytes(content)
    assert readable(folder) == sorted(set(rows) - {(at - begin) // size})


@pytest.mark.parametrize("name", [PIXELS, SUMS])
def test_files_of_another_form_are_refused_and_short_ones_hold_less(folder: Path, name: str) -> None:
    place = folder / "map"
    found = opened(place)
    for row in range(COUNT):
        assert found.put(row, IMAGES[row])
    with pytest.raises(ValueError, match="not the images"):
        ImageMap(place, COUNT, (3, 9, 8), lambda row: True)
    whole = (place / name).read_bytes()
    (place / name).write_bytes(whole[:-1])
    assert readable(place) == [*range(COUNT - 1)]
    (place / name).write_bytes(whole[:100])
    with pytest.raises(ValueError, match="EOF"):
        opened(place)
    (place / name).unlink()
    (place / name).symlink_to(folder / "elsewhere")
    (folder / "elsewhere").write_bytes(whole)
    with pytest.raises(ValueError, match="link"):
        ImageMap(place, COUNT, SHAPE, lambda row: True)


def test_what_cannot_be_shared_is_kept_for_the_trial(folder: Path) -> None:
    shared = opened(folder / "map", lambda row: row % 2 == 0)
    rows = np.array([5, 2, 7, 4])
    own = KeptImages(4, SHAPE, torch.uint8)
    both, alone = MappedImages(shared, rows, own), MappedImages(shared, rows, None)
    for position, row in enumerate(rows.tolist()):
        assert both.get(position) is None
        assert not both.is_complete
        both.put(position, IMAGES[row])
    assert both.is_complete
    assert not alone.is_complete
    expected: Tensor = IMAGES[torch.from_numpy(rows[[3, 0, 2]])]
    assert torch.equal(both.take([3, 0, 2]), expected)
    assert [alone.get(position) is not None for position in range(4)] == [False, True, False, True]
