"""Equal examples in several splits: counted as set arithmetic counts them, said, kept together or refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image as Picture

from tests.data.pictures import save, scene, told_of
from tests.data.splitting import assign
from tests.data.test_labels_of_rows import rows
from tlx.columns import Category, Image, Label, Number, Text
from tlx.columns.reading import Indices, Values
from tlx.config.dataset import Digits, ImageFolder, Table
from tlx.config.dataset_parts import Group
from tlx.config.errors import DataError
from tlx.data import fingerprint
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
