"""Augmentation: a pure function of (seed, epoch, index), whoever computes it and in whatever order."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import Field, fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from tlx.columns import Image, Reading, images
from tlx.columns.augment import flip_crop, generator, shift, stepwise
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec
from tlx.config.augmentation import PRESETS, STEPS, issues, steps
from tlx.config.dataset import Digits
from tlx.config.errors import DataError
from tlx.config.fields import RANGE
from tlx.data.module import Data

SPEC = ImageSpec(3, 20, 16, (0.5,) * 3, (0.25,) * 3)
IMAGE = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0)) * 255


def epochs_of(augment: str, workers: int, steps: tuple[int, int] = (0, 8), seed: int = 3) -> list[Batch]:
    """Batches of twenty digits over two epochs."""
    data = Data(Digits(shots=2, shots_seed=0, augment=augment), seed=seed, batch_size=5, workers=workers)
    data.prepare({"image": ImageSpec(1, 16, 16, (0.5,), (0.25,))})
    return list(data.train_loader(data.epochs(), *steps))


def by_index(batches: list[Batch]) -> dict[int, Tensor]:
    """The image of each index."""
    return {i: x for b in batches for i, x in zip(b.index.tolist(), b.inputs["image"], strict=True)}


@pytest.mark.parametrize("augment", ["shift", "flip_crop", "light"])
def test_any_number_of_workers_makes_the_same_batches(augment: str) -> None:
    here, there = epochs_of(augment, workers=0), epochs_of(augment, workers=2)
    assert [b.index.tolist() for b in here] == [b.index.tolist() for b in there]
    assert all(torch.equal(a.inputs["image"], b.inputs["image"]) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize("augment", ["shift", "flip_crop", "light"])
def test_resumed_in_the_middle_the_images_are_the_same(augment: str) -> None:
    whole, rest = epochs_of(augment, 0), epochs_of(augment, 0, steps=(3, 8))
    assert all(torch.equal(a.inputs["image"], b.inputs["image"]) for a, b in zip(whole[3:], rest, strict=True))


@pytest.mark.parametrize("augment", ["shift", "flip_crop", "light"])
def test_epochs_and_seeds_differ(augment: str) -> None:
    first, second = by_index(epochs_of(augment, 0, (0, 4))), by_index(epochs_of(augment, 0, (4, 8)))
    other = by_index(epochs_of(augment, 0, (0, 4), seed=4))
    assert first.keys() == second.keys() == other.keys()
    assert sum(not torch.equal(first[i], second[i]) for i in first) > len(first) / 2
    assert sum(not torch.equal(first[i], other[i]) for i in first) > len(first) / 2


def test_without_augmentation_epochs_are_the_same() -> None:
    first, second = by_index(epochs_of("none", 0, (0, 4))), by_index(epochs_of("none", 0, (4, 8)))
    assert all(torch.equal(first[i], second[i]) for i in first)


def test_shift_wraps_by_at_most_two_pixels() -> None:
    image = IMAGE.numpy()
    seen = set()
    for index in range(200):
        found = shift(IMAGE, generator(0, 0, index)).numpy()
        moves = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if np.array_equal(found, np.roll(image, (dy, dx), axis=(1, 2)))
        ]
        assert len(moves) == 1
        seen.add(moves[0])
    assert len(seen) == 25


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("image", [IMAGE, (IMAGE > 128) * 255.0, IMAGE[:, :5, :7]])
def test_flip_crop_has_the_size_of_the_spec_and_stays_in_range(image: Tensor, interpolation: str) -> None:
    spec = ImageSpec(3, 20, 16, (0.5,) * 3, (0.25,) * 3, interpolation)
    for index in range(20):
        found = flip_crop(image, spec, generator(0, 0, index))
        assert tuple(found.shape) == (3, 20, 16)
        assert found.dtype == torch.float32
        assert float(found.min()) >= -0.01
        assert float(found.max()) <= 255.01


def test_flip_crop_mirrors_half_of_the_images() -> None:
    ramp = torch.arange(64.0).expand(3, 64, 64)
    rows = [flip_crop(ramp, SPEC, generator(1, 0, index))[0, 0] for index in range(400)]
    mirrored = [float(row[0] > row[-1]) for row in rows]
    assert 0.4 < np.mean(mirrored) < 0.6


def test_flip_crop_keeps_35_to_100_percent() -> None:
    """On a pair of ramps the crop's height and width can be read off its corners."""
    rows = torch.arange(100.0).view(-1, 1).expand(100, 100)
    ramps = torch.stack([rows, rows.T, rows])
    spec = ImageSpec(3, 50, 50, (0.0,) * 3, (1.0,) * 3)
    areas = []
    for index in range(200):
        found = flip_crop(ramps, spec, generator(2, 0, index))
        height = float(found[0, -1, 25] - found[0, 0, 25]) * 50 / 49
        width = abs(float(found[1, 25, -1] - found[1, 25, 0])) * 50 / 49
        areas.append(height * width / 100**2)
    assert 0.30 < min(areas) < 0.45
    assert 0.85 < max(areas) <= 1.03


@pytest.mark.parametrize("augment", ["shift", "flip_crop"])
def test_the_global_random_numbers_are_left_alone(augment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)  # dropout on a GPU draws from what this sets
    torch.manual_seed(11)
    seeded.clear()
    expected = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # type: ignore[index]
    for index in range(5):
        rng = generator(0, 0, index)
        _ = shift(IMAGE, rng) if augment == "shift" else flip_crop(IMAGE, SPEC, rng)
    assert torch.equal(torch.get_rng_state(), expected)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]
    assert seeded == []


BYTES = (IMAGE).to(torch.uint8)
ORACLES = {
    "horizontal_flip": v2.RandomHorizontalFlip(0.5),
    "vertical_flip": v2.RandomVerticalFlip(0.5),
    "rotation": v2.RandomRotation(15, v2.InterpolationMode.BILINEAR),
    "color_jitter": v2.ColorJitter(0.4, 0.4, 0.4, 0.0),
    "rand_augment": v2.RandAugment(2, 9),
    "trivial_augment": v2.TrivialAugmentWide(),
    "aug_mix": v2.AugMix(3, 3),
    "erasing": v2.RandomErasing(0.25, value=[128, 128, 128]),
}


@pytest.mark.parametrize("name", ORACLES)
def test_a_step_is_that_of_torchvision(name: str) -> None:
    """With torch's generator seeded by the example's own numbers, and left as it was."""
    before = torch.get_rng_state()
    changed = 0
    for index in range(12):
        found = stepwise(BYTES, steps("steps", [name]), SPEC, generator(0, 1, index))
        with torch.random.fork_rng():
            torch.manual_seed(int(generator(0, 1, index).integers(2**31)))
            expected = ORACLES[name](images.resize(BYTES, SPEC))
        assert torch.equal(found, expected)
        assert found.dtype == torch.uint8
        changed += not torch.equal(found, images.resize(BYTES, SPEC))
    assert changed
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_give_the_size_of_the_spec(preset: str) -> None:
    found = [stepwise(BYTES, PRESETS[preset], SPEC, generator(0, epoch, 0)) for epoch in range(4)]
    assert {tuple(one.shape) for one in found} == {(3, 20, 16)}
    assert any(not torch.equal(found[0], one) for one in found[1:])


def test_steps_of_colours_are_refused_for_other_channels() -> None:
    bands = np.random.default_rng(0).integers(255, size=(6, 20, 16, 5), dtype=np.uint8)
    column, values, _ = Image("image").encode(bands, np.arange(6))
    spec = ImageSpec(5, 20, 16, (0.5,) * 5, (0.25,) * 5)
    with pytest.raises(
        DataError, match="TrivialAugment is of bytes in grey or colours, and these images have 5 channels"
    ):
        column.reader(values, np.arange(6), Reading(spec, "standard", steps=PRESETS["standard"]))
    found = column.reader(values, np.arange(6), Reading(spec, "light", steps=PRESETS["light"])).take([(0, 1), (1, 2)])
    assert tuple(found.shape) == (2, 5, 20, 16)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (["flip"], "expected one of|horizontal_flip"),
        (["horizontal_flip", "resized_crop"], "first step"),
        ([{"rotation": {"degrees": 400}}], "0 to 180"),
        ([{"rotation": {"angle": 4}}], "no such option"),
        ([{"rand_augment": {"magnitude": 2.5}}], "a whole number"),
        ([{"resized_crop": {"least": 0.9, "most": 0.5}}], "above most"),
        ([{"resized_crop": {"narrowest": 2}}], "above widest"),
        ([{"resized_crop": {"widest": 0.5}}], "below narrowest"),
        ([5], "expected a step"),
    ],
)
def test_steps_that_make_no_sense_are_refused(listed: list[object], message: str) -> None:
    (problem,) = issues(listed, "dataset.augment_steps")
    assert re.search(message, f"{problem.message}")


def _edges(field: Field[Any]) -> list[float]:
    """Values at the ends of an option's range, beyond them and beside its default."""
    allowed = field.metadata[RANGE]
    ends = [end for end in (allowed.least, allowed.above, allowed.most, allowed.below) if end is not None]
    near = [2] if field.type == "int" else [1e-300, 0.5, 2, 1e308, math.inf, math.nan]
    return list(dict.fromkeys([field.default, *ends, *near]))


@pytest.mark.parametrize("name", STEPS)
def test_what_is_not_refused_can_be_drawn(name: str) -> None:
    """Every two options of a step, each with every value at an edge."""
    known, drawn = fields(STEPS[name]), 0
    for pair in itertools.combinations(known, min(2, len(known))):
        for values in itertools.product(*map(_edges, pair)):
            listed = [{name: dict(zip([one.name for one in pair], values, strict=True))}]
            if not list(issues(listed, "dataset.augment_steps")):
                found = stepwise(BYTES, steps("steps", listed), SPEC, generator(0, 1, drawn))
                assert tuple(found.shape) == (3, 20, 16)
                drawn += 1
    assert drawn


@pytest.mark.parametrize("augment", ["flip_crop", "light"])
def test_any_number_of_threads_makes_the_same_batches(augment: str) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = epochs_of(augment, workers=0)
        torch.set_num_threads(4)
        four = epochs_of(augment, workers=0)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a.inputs["image"], b.inputs["image"]) for a, b in zip(one, four, strict=True))
