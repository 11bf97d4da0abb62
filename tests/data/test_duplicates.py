"""Equal examples in several splits: counted as set arithmetic counts them, said, kept together or refused."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image as Picture

from tests.data.splitting import assign
from tests.data.test_labels_of_rows import rows
from tlx.columns import Category, Image, Label, Number, Text
from tlx.columns.reading import Indices, Values
from tlx.config.dataset import Digits, ImageFolder, Table
from tlx.config.dataset_parts import Column, Group, Limits
from tlx.config.errors import DataError
from tlx.data import fingerprint, perceptual
from tlx.data.duplicates import copies_of, look, units_of
from tlx.data.groups import groups_of
from tlx.data.module import Data
from tlx.data.source import Source
from tlx.data.splits import cut


def texts(words: list[str], labels: list[int] | None = None, groups: list[str] | None = None) -> Source:
    """Texts with two classes in turn, or as they are given."""
    numbers = np.array(labels if labels is not None else [i % 2 for i in range(len(words))])
    columns: list[Any] = [Text("text"), Label("label", classes=("a", "b"))]
    values: dict[str, Values] = {"text": words, "label": numbers}
    if groups is not None:
        columns, values = [*columns, Category("patient", role="group")], {**values, "patient": groups}
    return Source(columns, values, {}).encoded()


def found(source: Source, splits: dict[str, Indices], **options: Any) -> list[str]:
    """The notes on splits that are given."""
    source.splits = splits
    assign(source, Digits(**options), seed=0)
    return source.notes


@given(words=st.lists(st.sampled_from([f"w{i}" for i in range(40)]), min_size=40, max_size=80), seed=st.integers(0, 99))
def test_equal_examples_are_counted_and_kept_together(words: list[str], seed: int) -> None:
    assume(len(set(words)) >= 10)
    source = texts(words)
    splits = cut(source, Digits(split_seed=seed))
    inside = {name: [words[i] for i in one] for name, one in splits.items()}
    look(source, splits, Digits(), copies_of(source, Digits()))
    for name, before in (("val", ["train"]), ("test", ["train", "val"])):
        known = {word for one in before for word in inside[one]}
        count = sum(word in known for word in inside[name])
        expected = f"{count} of {len(inside[name])} examples of {name} equal one of {' or '.join(before)} ("
        assert any(note.startswith(expected) for note in source.notes) == bool(count)
    answers: dict[str, set[int]] = {}
    for i, word in enumerate(words):
        answers.setdefault(word, set()).add(i % 2)
    against = sum(len(one) > 1 for one in answers.values())
    assert any(note.startswith(f"{against} inputs stand there with different") for note in source.notes) == bool(
        against
    )
    kept = cut(texts(words), Digits(split_seed=seed, duplicates="group"))
    assert sorted(i for one in kept.values() for i in one.tolist()) == list(range(len(words)))
    assert all(
        {words[i] for i in kept[one]}.isdisjoint({words[i] for i in kept[other]})
        for one, other in itertools.combinations(kept, 2)
    )


def test_where_all_differ_nothing_is_said_and_shares_are_as_asked() -> None:
    source = texts([f"text {i}" for i in range(200)])
    splits = assign(source, Digits(duplicates="group"), seed=0)
    assert source.notes == []
    assert {name: len(one) for name, one in splits.items()} == {"train": 136, "val": 24, "test": 40}


@pytest.mark.parametrize("duplicates", ["error", "group"])
def test_given_splits_that_share_content_are_refused(duplicates: str) -> None:
    words = [f"text {i % 25}" for i in range(30)]
    given = {"train": np.arange(20), "val": np.arange(20, 25), "test": np.arange(25, 30)}
    with pytest.raises(DataError, match=r"dataset\.duplicates.*5 of 5 examples of test equal one of train or val"):
        found(texts(words), given, duplicates=duplicates)
    (note, other, absent) = found(texts(words, [i % 2 for i in range(25)] + [0] * 5), given)
    assert "example 25 = example 0, example 26 = example 1" in note
    assert note.endswith("dataset.duplicates=group keeps equal examples in one split")
    assert absent == "test has no example of class 'b'"
    assert other == "2 inputs stand there with different targets (example 1 = example 26, example 3 = example 28)"


@given(seed=st.integers(0, 1000))
def test_groups_and_copies_stay_together(seed: int) -> None:
    """Units are the components of 'equal, or of one group', as a search from neighbour to neighbour finds them."""
    rng = np.random.default_rng(seed)
    words, people = rng.integers(30, size=60), rng.integers(25, size=60)
    source = texts([f"w{one}" for one in words], groups=[f"p{one}" for one in people])
    units = units_of(copies_of(source, Digits()), groups_of(source, Digits()))
    for start in range(60):
        mine, waiting = {start}, [start]
        while waiting:
            i = waiting.pop()
            for j in np.flatnonzero((words == words[i]) | (people == people[i])).tolist():
                if j not in mine:
                    mine.add(j)
                    waiting.append(j)
        assert set(np.flatnonzero(units == units[start]).tolist()) == mine


def test_rows_are_equal_where_all_their_inputs_are(folder: Path) -> None:
    cells = [[30 + i % 3, "fm"[i % 2], f"p{i}", "ab"[i % 2]] for i in range(12)]
    file = rows(folder / "a.csv", ["age", "sex", "patient", "label"], cells)
    config = Table(file=str(file), modality="table", group=Group(column="patient"))
    source = Data(config, seed=0, batch_size=4).source
    codes = copies_of(source, config).codes
    expected = [(row[0], row[1]) for row in cells]
    assert all((codes[i] == codes[j]) == (expected[i] == expected[j]) for i in range(12) for j in range(12))
    same = np.zeros((4, 3, 3), dtype=np.uint8)
    arrays: dict[str, Values] = {"image": [same[0], same[0].astype(float), same[0][:, :2], same[0].copy()]}
    source = Source([Image("image", channels=1)], arrays, {})
    assert [int(code == copies_of(source, Digits()).codes[0]) for code in copies_of(source, Digits()).codes] == [
        1,
        0,
        0,
        1,
    ]
    numbers = Source([Number("x"), Number("y")], {"x": np.array([0, 0, 1, 0.0]), "y": np.array([0, 1, 1, 0.0])}, {})
    assert len(set(copies_of(numbers, Digits()).codes.tolist())) == 3


@pytest.fixture
def theme(folder: Path) -> Path:
    """Icons, each under three names in two classes: copies, as icon themes have them."""
    rng = np.random.default_rng(0)
    for i in range(20):
        values = rng.integers(256, size=(16, 16, 3), dtype=np.uint8)
        for copy, name in enumerate(("apps", "apps", "places" if i % 5 == 0 else "apps")):
            path = folder / "theme" / name / f"{copy}-{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Picture.fromarray(values).save(path)
    for i in range(12):
        Picture.fromarray(rng.integers(256, size=(16, 16, 3), dtype=np.uint8)).save(folder / f"theme/places/{i}.png")
    return folder / "theme"


def test_copies_of_images_are_told_by_their_files(theme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hashes that the fingerprint has: no file is read for them again."""
    config = ImageFolder(root=str(theme))
    monkeypatch.setattr("tlx.data.fingerprint.is_settled", lambda found: True)  # the files are of this moment
    fingerprint.fingerprint(config)
    with monkeypatch.context() as patched:
        patched.setattr("tlx.data.fingerprint.content_hash", lambda path: pytest.fail(f"{path} was hashed again"))
        data = Data(config, seed=0, batch_size=4)
    contents = {name: [Path(data.source.origin(i)).read_bytes() for i in one] for name, one in data.splits.items()}
    known = {*contents["train"], *contents["val"]}
    count = sum(one in known for one in contents["test"])
    assert any(f"{count} of {len(contents['test'])} examples of test equal one" in note for note in data.source.notes)
    assert any(note.startswith("4 inputs stand there with different targets") for note in data.source.notes)
    together = Data(ImageFolder(root=str(theme), duplicates="group"), seed=0, batch_size=4)
    parts = [{Path(together.source.origin(i)).read_bytes() for i in one} for one in together.splits.values()]
    assert sum(map(len, parts)) == 32
    assert "40 examples are copies of others, and lie in the same split" in together.source.notes
    with pytest.raises(DataError, match=r"dataset\.duplicates = error"):
        Data(ImageFolder(root=str(theme), duplicates="error"), seed=0, batch_size=4)


def test_files_of_which_a_source_knows_no_hash_are_read_where_that_is_asked_for(theme: Path) -> None:
    paths = [str(path) for path in sorted(theme.rglob("*.png"))]
    source = Source([Image("image", channels=3)], {"image": paths}, {})
    assert len(copies_of(source, Digits(duplicates="group")).codes) == 72
    assert len(set(copies_of(source, Digits(duplicates="group")).codes.tolist())) == 32
    assert copies_of(source, Digits()).notes == (
        "duplicates of 'image' are not looked for, as each would be fetched: dataset.duplicates=group or error does",
    )


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


def told_of(data: Data) -> str:
    return "\n".join(data.source.notes)


def save(root: Path, name: str, *frames: Any) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    first, *others = (Picture.fromarray(np.asarray(one, dtype=np.uint8)) for one in frames)
    more: dict[str, Any] = {"save_all": True, "append_images": others} if others else {}
    first.save(root / name, **more)


def scene(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return np.asarray(Picture.fromarray(rng.integers(256, size=(6, 6), dtype=np.uint8)).resize((32, 32), 3))


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


@pytest.mark.parametrize("duplicates", ["warn", "error"])
def test_copies_are_looked_for_among_the_shots(folder: Path, duplicates: str) -> None:
    """Twins of train that validate are told, and not those of which none trains."""
    for i in range(24):
        save(folder / "twins", f"train/{'ab'[i % 2]}/{i}.png", scene(i // 4 * 2 + i % 2))
        save(folder / "twins", f"test/{'ab'[i % 2]}/{i}.png", scene(100 + i))
        save(folder / "apart", f"train/{'ab'[i % 2]}/{i}.png", scene(i))
        save(folder / "apart", f"test/{'ab'[i % 2]}/{i}.png", scene(i) if i < 8 else scene(100 + i))
    within = ImageFolder(root=str(folder / "twins"), shots=8, validation="within", val=0.3, duplicates=duplicates)
    if duplicates == "error":
        with pytest.raises(DataError, match="examples of val equal one of train"):
            Data(within, seed=0, batch_size=4)
        return
    few = ImageFolder(root=str(folder / "apart"), shots=2)
    for config in (within, few):
        data = Data(config, seed=0, batch_size=4)
        held = {name: [Path(data.source.origin(i)).read_bytes() for i in one] for name, one in data.splits.items()}
        for name, before in (("val", held["train"]), ("test", held["train"] + held["val"])):
            count = sum(one in before for one in held[name])
            assert (f"{count} of {len(held[name])} examples of {name} equal one" in told_of(data)) == bool(count)
    assert "dataset.validation=extra" in told_of(Data(within, seed=0, batch_size=4))


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
