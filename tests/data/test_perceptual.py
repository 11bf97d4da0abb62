"""Images that look alike: hashes held to counting bits, and what is said, joined and remembered of them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from tests.columns.formats.dicom_files import made
from tests.data.pictures import save, scene, told_of
from tests.data.test_labels_of_rows import rows
from tlx.columns import Image
from tlx.config.dataset import ImageFolder, Table
from tlx.config.dataset_parts import Column, Limits
from tlx.config.errors import DataError
from tlx.data import perceptual
from tlx.data.duplicates import copies_of, units_of
from tlx.data.module import Data


@given(
    seed=st.integers(0, 1000),
    distance=st.integers(0, 16),
    block=st.sampled_from([1, 50, 1 << 20]),
    waiting=st.sampled_from([0, 1 << 17]),
    columns=st.integers(1, 2),
)
def test_near_hashes_are_those_that_counting_finds(
    seed: int, distance: int, block: int, waiting: int, columns: int
) -> None:
    rng = np.random.default_rng(seed)
    bases = rng.integers(2**63, size=6, dtype=np.uint64)
    flips = np.bitwise_or.reduce(np.uint64(1) << rng.integers(64, size=(60, columns, 8), dtype=np.uint64), axis=2)
    hashes = bases[rng.integers(6, size=(60, 1))] ^ flips
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(perceptual, "_BLOCK", block)
        patched.setattr(perceptual, "_WAITING", waiting)
        numbers = perceptual.joined(hashes, distance)
        found = perceptual.is_near_one(hashes[:20], hashes[20:], distance)
    apart = [[max(bin(int(a) ^ int(b)).count("1") for a, b in zip(x, y, strict=True)) for y in hashes] for x in hashes]
    near = np.array(apart) <= distance
    assert found.tolist() == near[:20, 20:].any(1).tolist()
    for start in range(60):
        mine, waits = {start}, [start]
        while waits:
            new = set(np.flatnonzero(near[waits.pop()]).tolist()) - mine
            mine |= new
            waits += new
        assert set(np.flatnonzero(numbers == numbers[start]).tolist()) == mine


def test_what_is_near_takes_little_memory() -> None:
    rng = np.random.default_rng(0)
    bits = np.argsort(rng.random((3000, 64)), axis=1)[:, :6].astype(np.uint64)  # sparse: nearly all pairs are near
    hashes = np.unique(np.bitwise_or.reduce(np.uint64(1) << bits, axis=1))[:, None]
    tracemalloc.start()
    try:
        assert set(perceptual.joined(hashes, 12).tolist()) == {0}
        assert tracemalloc.get_traced_memory()[1] < 100e6  # of all pairs, 16 bytes each, 72e6 and what finds them
    finally:
        tracemalloc.stop()


def test_a_difference_hash_is_of_gradients() -> None:
    rising = np.tile(np.arange(90, dtype=np.uint8), (80, 1))
    assert perceptual.difference_hash(rising) == 2**64 - 1
    assert perceptual.difference_hash(rising[:, ::-1]) == 0
    assert perceptual.difference_hash(np.stack([rising] * 3, axis=2)) == 2**64 - 1
    assert perceptual.difference_hash(rising.astype(np.uint16) * 257) == 2**64 - 1
    halves = np.concatenate([rising[:40], rising[40:, ::-1]])
    assert perceptual.difference_hash(halves) == (2**32 - 1) << 32
    assert perceptual.difference_hash(np.random.default_rng(0).integers(256, size=(80, 1)).repeat(90, 1)) is None


def test_images_that_look_alike(folder: Path) -> None:
    """The same scenes saved by another program: other bytes, other sizes, nearly the same picture."""
    rng = np.random.default_rng(0)
    for i in range(20):
        scene = Picture.fromarray(rng.integers(256, size=(9, 9), dtype=np.uint8)).resize((90, 90), 3)
        for name in "ab":
            (folder / "scenes" / name).mkdir(parents=True, exist_ok=True)
        scene.save(folder / "scenes" / "a" / f"{i}.png")
        scene.resize((60, 60)).save(folder / "scenes" / "b" / f"{i}.jpg", quality=60)
        Picture.new("L", (8 + i, 8), 128).save(folder / "scenes" / "a" / f"flat{i}.png")
    root = str(folder / "scenes")
    plain = Data(ImageFolder(root=root), seed=0, batch_size=4).source.notes
    assert not any("look like" in note or "equal one" in note for note in plain)
    data = Data(ImageFolder(root=root, near_duplicates=6), seed=0, batch_size=4)
    scenes = {name: {Path(data.source.origin(i)).stem for i in one} for name, one in data.splits.items()}
    twins = {stem for stem in scenes["test"] & (scenes["train"] | scenes["val"]) if "flat" not in stem}
    assert any(f"{len(twins)} examples of test look like one of train or val" in note for note in data.source.notes)
    together = Data(ImageFolder(root=root, near_duplicates=6, duplicates="group"), seed=0, batch_size=4)
    parts = [{Path(together.source.origin(i)).stem for i in one} for one in together.splits.values()]
    assert sum(map(len, parts)) == 40


def test_what_is_remembered_of_looks_is_of_one_way_to_read_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame is alike in all files and the other is not: what is found is what a fresh cache finds."""
    for i in range(24):
        alike = scene(999).copy()
        alike[0, 0] = i  # no file equals another
        save(folder / "frames", f"{'ab'[i % 2]}/{i}.tif", alike, scene(i))
    options: dict[str, Any] = {"root": str(folder / "frames"), "near_duplicates": 2}
    asked = {
        "first": ImageFolder(**options, frame=0),
        "second": ImageFolder(**options, frame=1),
        "small": ImageFolder(**options, frame=0, limits=Limits(pixels=10)),
    }
    sources = {name: Data(asked["first"], seed=0, batch_size=4).source for name in asked}
    sources["second"] = Data(asked["second"], seed=0, batch_size=4).source
    found = {name: copies_of(sources[name], asked[name]).looks for name in ("small", "first", "second", "first")}
    for name, looks in found.items():
        monkeypatch.setenv("TLX_CACHE", str(folder / name))
        assert looks.tolist() == copies_of(sources[name], asked[name]).looks.tolist()
    assert [len(set(found[name].tolist())) for name in ("first", "second", "small")] == [1, 24, 1]
    assert set(found["small"].tolist()) == {-1}


def test_pictures_that_darken_to_the_right_are_compared(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(20):
        fading = np.linspace(255, 0, 36)[None] * rng.uniform(0.5, 1, (32, 1))
        stripes = rng.integers(256, size=(32, 1)).repeat(32, 1)
        for kind, picture in (("fading", fading), ("stripes", stripes)):
            save(folder / kind, f"{'ab'[i % 2]}/{i}.png", picture)
    shown = {
        kind: told_of(Data(ImageFolder(root=str(folder / kind), near_duplicates=0), seed=0, batch_size=4))
        for kind in ("fading", "stripes")
    }
    assert "8 of 8" not in shown["stripes"]
    assert "look like" not in shown["stripes"]  # of which a hash of gradients to the right knows nothing
    assert "4 examples of test look like one of train or val" in shown["fading"]


def test_examples_look_alike_where_all_their_images_do(folder: Path) -> None:
    for i in range(30):
        same = scene(999).copy()
        same[0, 0] = i
        save(folder, f"front{i}.png", same)
        save(folder, f"side{i}.png", scene(i % 28))  # two pairs are alike in both
        save(folder, f"side{i}.png", np.where(np.arange(32) == i, scene(i % 28) // 2, scene(i % 28)))
    cells = [[f"front{i}.png", f"side{i}.png", "uv"[i % 2]] for i in range(30)]
    file = rows(folder / "t.csv", ["front", "side", "label"], cells)
    columns = {"front": Column(type="image"), "side": Column(type="image"), "label": Column(type="label")}
    config = Table(file=str(file), modality="image", columns=columns, near_duplicates=8)
    source = Data(config, seed=0, batch_size=4).source
    units = units_of(copies_of(source, config), None)
    assert sorted(np.bincount(units).tolist()) == [1] * 26 + [2, 2]


def test_how_much_looks_join_is_said(folder: Path) -> None:
    for i in range(60):
        save(folder / "icons", f"{'ab'[i % 2]}/{i}.png", scene(i if i < 20 else 999) + (i if i >= 20 else 0))
    config = ImageFolder(root=str(folder / "icons"), near_duplicates=16, duplicates="group")
    data = Data(config, seed=0, batch_size=4)
    copies = copies_of(data.source, config)
    sizes = np.bincount(units_of(copies, None))
    joined = sizes[sizes > 1]
    said = f"of {joined.sum()} examples {len(joined)} set(s) stay together, the largest of {joined.max()}: "
    assert said in told_of(data)
    assert "dataset.near_duplicates=16" in told_of(data)
    for name, whole, share in (("test", 60, 0.2), ("val", 60 - len(data.splits["test"]), 0.15)):
        off = abs(len(data.splits[name]) - share * whole)
        is_said = f"{name} has {len(data.splits[name])} of {whole} examples" in told_of(data)
        assert is_said == (off >= 1 and off > share * whole / 4)
    for i in range(20):
        (folder / "icons" / "ab"[i % 2] / f"{i}.png").unlink()
    with pytest.raises(DataError, match=r"dataset\.near_duplicates=16\): 1 cannot be given to 2 parts"):
        Data(config, seed=0, batch_size=4)


@pytest.mark.parametrize("suffix", ["png", "npy"])
def test_an_image_is_compared_once(folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """Whether its hash has its first bit, or it has none; what cannot be read may be read another time."""
    monkeypatch.setenv("TLX_CACHE", str(folder / "cache"))
    pictures = {"bright": scene(0), "dark": 255 - scene(0), "flat": np.full((8, 8), 7, np.uint8)}
    for name, picture in pictures.items():
        if suffix == "png":
            save(folder, f"{name}.png", picture)
        else:
            np.save(folder / f"{name}.npy", picture)
    (folder / f"broken.{suffix}").write_text("no image")
    values = [str(folder / f"{name}.{suffix}") for name in (*pictures, "broken")]
    column, decoded, original = Image("image", channels=1), list[str](), Image.decoded

    def counted(column: Image, value: str, limits: Limits) -> Any:
        decoded.append(Path(value).stem)
        return original(column, value, limits)

    monkeypatch.setattr(Image, "decoded", counted)
    first = perceptual.hashes_of(column, values, values, Limits())
    assert decoded == [*pictures, "broken"]
    assert [one is None for one in first] == [False, False, True, True]
    assert {int(one) >> 63 for one in first if one is not None} == {0, 1}
    assert perceptual.hashes_of(column, values, values, Limits()) == first
    assert decoded == [*pictures, "broken", "broken"]


@pytest.mark.parametrize("intercept", ["0", "1000000"])
@pytest.mark.parametrize("scale", ["auto", "dtype", "percentile", [0, 500]])
def test_how_images_are_scaled_decides_no_look(folder: Path, scale: Any, intercept: str) -> None:
    """Of files that say the range of their values, which may lie far from zero."""
    rng, stored = np.random.default_rng(0), {}
    for i in range(24):
        place = folder / "images" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        stored[i] = rng.integers(0, 4, (9, 9)).astype(np.uint16)
        made(place / f"{i}.dcm", stored[i], RescaleSlope="0.5", RescaleIntercept=intercept)
    config = ImageFolder(root=str(folder / "images"), scale=scale, near_duplicates=0)
    found = copies_of(Data(config, seed=0, batch_size=4).source, config)
    meant = [perceptual.difference_hash(one * 0.5 + float(intercept)) for one in stored.values()]
    assert set(found.hashes[:, 0].tolist()) == set(meant) - {None}
    assert (found.looks == -1).sum() == meant.count(None)
