"""Trials share decoded images: each is decoded once, whoever comes first, and none is ever a wrong one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import tlx
from tlx.cli import main
from tlx.columns import Image
from tlx.columns.batch import Batch
from tlx.columns.image_map import PIXELS
from tlx.columns.input_spec import ImageSpec
from tlx.config.dataset import ImageFolder
from tlx.data.module import Data
from tlx.feature_cache.image_maps import ImageMaps
from tlx.feature_cache.store import Store

SPEC = ImageSpec(3, 8, 8, (0.5,) * 3, (0.25,) * 3)
GB = 10**9


@pytest.fixture(autouse=True)
def _own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLX_CACHE", str(folder / "cache"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that were decoded for a network."""
    names: list[str] = []
    original = Image.read

    def read(column: Image, value: Path, *more: object) -> object:
        names.append(Path(value).name)
        return original(column, value, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Image, "read", read)
    return names


def images(folder: Path, count: int = 24, seed: int = 0) -> ImageFolder:
    """Squares of noise in two classes, of several sizes."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        place = folder / "images" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(rng.integers(0, 256, (8 + i % 3, 9, 3), dtype=np.uint8)).save(place / f"{i}.png")
    return ImageFolder(root=str(folder / "images"), val=0.25, test=0.25)


def data(config: ImageFolder, store: Store | None, seed: int = 0, memory: int = 1 << 20) -> Data:
    """The examples of a trial that shares its images in a store, or with nobody."""
    found = Data(config, seed=seed, batch_size=4, memory=memory, share=ImageMaps(store) if store is not None else None)
    found.prepare({"image": SPEC})
    return found


def epoch(one: Data) -> dict[str, list[Batch]]:
    train = one.train_loader(one.epochs(), 0, one.epochs().steps_per_epoch)
    return {"train": list(train), **{name: list(one.eval_loader(name)) for name in ("val", "test")}}


def assert_same(one: dict[str, list[Batch]], other: dict[str, list[Batch]]) -> None:
    for name, batches in one.items():
        for mine, wanted in zip(batches, other[name], strict=True):
            assert all(torch.equal(a, b) for (_, a), (_, b) in zip(mine.tensors(), wanted.tensors(), strict=True))


def test_the_first_trial_decodes_for_all(folder: Path, decoded: list[str]) -> None:
    """Whatever its seed, and so its splits."""
    config, store = images(folder), Store(folder / "store", GB)
    plain = [epoch(data(config, None, seed)) for seed in (0, 1)]
    decoded.clear()
    assert_same(epoch(data(config, store)), plain[0])
    assert sorted(decoded) == sorted(f"{i}.png" for i in range(24))
    decoded.clear()
    second = data(config, store, seed=1)
    assert_same(epoch(second), plain[1])
    assert decoded == []
    assert second.examples["val"].is_ready
    assert_same(epoch(second), plain[1])


@pytest.mark.parametrize(
    ("spec", "shots"), [(replace(SPEC, mean=(0.1,) * 3), None), (replace(SPEC, std=(0.1,) * 3), None), (SPEC, 3)]
)
def test_how_a_network_normalises_is_no_matter(
    folder: Path, decoded: list[str], spec: ImageSpec, shots: int | None
) -> None:
    """Nor what the columns have learned of other shots: the bytes are those of the files."""
    config, store = images(folder), Store(folder / "store", GB)
    epoch(data(config, store))
    config.shots = shots
    decoded.clear()
    one, plain = data(config, store), data(config, None)
    one.prepare({"image": spec})
    plain.prepare({"image": spec})
    found = epoch(one)
    assert decoded == []
    assert len(store.entries()) == 1
    assert_same(found, epoch(plain))


def test_images_of_several_files_are_not_shared(folder: Path) -> None:
    for i in range(24):
        for band in ("red", "near"):
            place = folder / "tiles" / "ab"[i % 2]
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{i}_{band}.npy", np.full((8, 8), i, np.uint8))
    config = ImageFolder(root=str(folder / "tiles"), band_files="{image}_{red,near}.npy", val=0.25, test=0.25)
    store, spec = Store(folder / "store", GB), ImageSpec(2, 8, 8, (0.5,) * 2, (0.25,) * 2)
    one, plain = (Data(config, seed=0, batch_size=4, memory=1 << 20, share=to) for to in (ImageMaps(store), None))
    for each in (one, plain):
        each.prepare({"image": spec})
    assert_same(epoch(one), epoch(plain))
    assert store.entries() == []


def test_other_content_and_other_sizes_are_other_images(folder: Path, decoded: list[str]) -> None:
    config, store = images(folder), Store(folder / "store", GB)
    epoch(data(config, store))
    one = Path(config.root) / "a" / "0.png"
    Picture.fromarray(np.zeros((8, 8, 3), np.uint8)).save(one)
    decoded.clear()
    assert_same(epoch(data(config, store)), epoch(data(config, None)))
    assert len(decoded) >= 24
    assert len(store.entries()) == 2
    other = data(config, store)
    other.prepare({"image": ImageSpec(3, 6, 6, (0.5,) * 3, (0.25,) * 3)})
    assert len(store.entries()) == 3


def test_a_file_that_changes_under_a_trial_is_not_shared(folder: Path) -> None:
    config, store = images(folder), Store(folder / "store", GB)
    first = data(config, store)
    before = {one: one.read_bytes() for one in Path(config.root).rglob("*.png")}
    images(folder, seed=1)  # other pixels, before any of them was decoded
    epoch(first)
    for one, content in before.items():
        one.write_bytes(content)
    assert_same(epoch(data(config, store)), epoch(data(config, None)))


@pytest.mark.parametrize("why", ["memory", "budget", "floats"])
def test_what_does_not_fit_is_not_shared(folder: Path, why: str) -> None:
    config = images(folder)
    if why == "floats":
        config.scale = "percentile"
        for one in Path(config.root).rglob("*.png"):
            Picture.fromarray(np.full((8, 8), 300, np.uint16)).save(one)
    store = Store(folder / "store", 100 if why == "budget" else GB)
    found = data(config, store, memory=100 if why == "memory" else 1 << 20)
    assert_same(epoch(found), epoch(data(config, None)))
    assert store.entries() == []
    told = [note for note in found.source.notes if "not shared with other trials" in note]
    assert len(told) == (why == "budget")


def test_what_is_open_stays_and_goes_when_nobody_holds_it(folder: Path) -> None:
    config, store = images(folder), Store(folder / "store", GB)
    held = data(config, store)
    expected = epoch(held)
    assert store.prune(0) == 0
    assert [one.busy for one in store.entries()] == [True]
    assert_same(epoch(held), expected)
    del held
    assert [one.busy for one in store.entries()] == [False]
    assert store.prune(0) > 0
    assert store.entries() == []


def test_a_full_disk_leaves_images_to_the_trial(
    folder: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, store = images(folder), Store(folder / "store", GB)
    plain = epoch(data(config, None))

    def full(*values: object) -> int:
        raise OSError(28, "No space left on device")

    found = data(config, store)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert_same(epoch(found), plain)
        decoded.clear()
        again = epoch(found)
    assert_same(again, plain)
    assert {Path(name).name for name in decoded} == {f"{i}.png" for i in range(24)} - _seen(found, "train", "val")


def _seen(found: Data, *splits: str) -> set[str]:
    paths = found.source.rows["image"]
    return {Path(paths[i]).name for name in splits for i in found.splits[name].tolist()}


def test_a_damaged_map_is_made_anew(folder: Path) -> None:
    config, store = images(folder), Store(folder / "store", GB)
    plain = epoch(data(config, None))
    epoch(data(config, store))
    (entry,) = store.entries()
    (store.root / entry.key / PIXELS).write_bytes(b"")
    for _ in range(2):
        assert_same(epoch(data(config, store)), plain)
    (entry,) = store.entries()
    assert (store.root / entry.key / PIXELS).stat().st_size > 24 * 3 * 64


def test_a_trial_with_shared_images_is_the_one_without(
    folder: Path, decoded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = images(folder)
    words = ["dataset=imagefolder", f"dataset.root={config.root}", "backbone=narrow_resnet", "strategy=fine_tune"]
    words += ["strategy.budget=3 steps", "strategy.batch_size=4", "tracking=none", "hardware=cpu", "hardware.threads=1"]
    first, second = (tlx.train(tlx.compose([*words, f"reuse={when}", f"output={when}"])) for when in ("auto", "off"))
    assert first.metrics == second.metrics
    decoded.clear()
    tlx.train(tlx.compose([*words, "output=again", "strategy.lr=0.003"]))
    assert decoded == []
    capsys.readouterr()
    assert main(["reuse", "ls"]) == 0
    assert "(images)  32 x 32" in capsys.readouterr().out
