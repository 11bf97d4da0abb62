"""Columns of images: prepared one by one or all at once, and bad ones told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pictures

from tests.columns.strategies import PIXELS, back, chosen, look
from tlx.columns import Image, Reading, images
from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import PLAIN
from tlx.data.schema_file import parsed


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.data())
def test_images_are_prepared_one_by_one_or_all_at_once(
    count: int, height: int, width: int, data: st.DataObject
) -> None:
    stack = np.random.default_rng(count).integers(256, size=(count, height, width), dtype=np.uint8)
    column, values, _ = Image("image").encode(stack, np.arange(count))
    assert (column.channels, column.dtype) == (1, "uint8")
    column = column.fit(values)
    assert list(column.scale) == [0, 255]
    indices = chosen(data, count)
    positions = data.draw(st.lists(st.integers(0, len(indices) - 1), min_size=1, max_size=8))
    items = [(PLAIN, at) for at in positions]
    reading = Reading(PIXELS)
    expected = torch.stack([images.prepare(stack[indices[at]], PIXELS) for at in positions])
    for given_values in (values, list(stack)):
        found = column.reader(given_values, indices, reading).take(items)
        assert found.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    each = [column.prepare(column.read(stack[indices[at]]), reading) for at in positions]
    assert torch.equal(column.collate(each, reading), expected)
    assert back(column) == column


@pytest.mark.parametrize(("modes", "expected"), [("LLL", 1), ("RGB", 3), ("LLR", 3), ("4", 4)])
def test_channels_are_those_of_most(folder: Path, modes: str, expected: int) -> None:
    values: list[Any] = []
    for i, mode in enumerate(modes):
        if mode == "4":
            values.append(np.zeros((6, 5, 4), np.uint8))
            continue
        picture = Pictures.new("L" if mode == "L" else "RGB", (5, 3))
        picture.save(folder / f"{i}.png")
        values.append(folder / f"{i}.png" if i % 2 else picture)
    column, _, _ = Image("image").encode(values, np.arange(len(values)))
    assert column.channels == expected
    seen = look()
    assert column.problems(values, np.arange(len(values)), seen) == {}
    assert {(one.height, one.width) for one in seen.seen.values()} == {(6 if modes == "4" else 3, 5)}
    assert [column.file(value) is not None for value in values] == [isinstance(value, Path) for value in values]


@pytest.mark.parametrize("sound", [[], [70], [199], [0, 5]])
def test_one_image_that_can_be_read_is_enough_and_none_is_told(sound: list[int]) -> None:
    """Wherever it lies; an array [3, 3, 4] may have its channels first or last."""
    values: list[Any] = [np.zeros((6, 5, 4) if i in sound else (3, 3, 4), np.uint16) for i in range(200)]
    column, _, faults = Image("image").encode(values, np.arange(200))
    if sound:
        assert (column.channels, column.dtype, faults) == (4, "float32", {})
    else:
        assert list(faults) == [0]
        assert "dataset.layout=hwc" in faults[0]
        assert faults[0].endswith("none of the 200 images can be read")


def test_bad_images_are_told_by_example(folder: Path) -> None:
    (folder / "text.png").write_text("no image")
    sound = np.zeros((4, 5, 3), np.uint8)
    values = [sound, folder / "text.png", np.zeros((9, 8, 7)), np.full((4, 4, 3), np.nan), folder / "none.png", sound]
    found = Image("image", channels=3).problems(values, np.array([0, 1, 2, 3, 4]), look())
    assert list(found) == [1, 2, 3, 4]
    assert [word in found[i] for i, word in enumerate(["unreadable", "7 channels", "NaN", "FileNotFound"], 1)] == [
        True
    ] * 4


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.booleans())
def test_images_that_are_kept_are_those_that_are_decoded(order: list[int], deep: bool) -> None:
    rng = np.random.default_rng(0)
    values = [rng.integers(256, size=(9 + i, 8, 3)).astype(np.uint16 if deep else np.uint8) for i in range(6)]
    spec = ImageSpec(3, 6, 5, (0.5,) * 3, (0.25,) * 3)
    column, encoded, _ = Image("image").encode(values, np.arange(6))
    column = column.fit(encoded)
    usual, kept = (
        column.reader(encoded, np.arange(6), Reading(spec, memory=memory)) for memory in (0, 6 * 3 * 6 * 5 * 4)
    )
    for at in range(0, len(order), 4):
        items = [(PLAIN, position) for position in order[at : at + 4]]
        assert torch.equal(usual.take(items), kept.take(items))
    assert kept.is_ready == (set(order) == set(range(6)))
    assert not usual.is_ready


@pytest.mark.parametrize(("channels", "is_read"), [(257, True), (4096, True), (4097, False)])
def test_many_channels_are_refused_before_training_where_no_model_could_be_loaded(
    folder: Path, channels: int, is_read: bool
) -> None:
    values = [np.random.default_rng(i).integers(256, size=(channels, 2, 2), dtype=np.uint8) for i in range(2)]
    column, _, _ = Image("image", layout="chw").encode(values, np.arange(2))
    told = column.problems(values, np.arange(2), look())
    assert list(told) == ([] if is_read else [0, 1])
    assert all("at most 4,096 are read" in one for one in told.values())
    if is_read:
        settings = json.loads(json.dumps([column.fit(values).settings()]))
        assert parsed(settings, {}).columns[0] == column.fit(values)
