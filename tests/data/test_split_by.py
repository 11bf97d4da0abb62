"""What splits are cut by: groups lie in one of them, time goes on from one to the next, folds test everything once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.model_selection import StratifiedKFold

from tests.data.conftest import load
from tests.data.splitting import lists, source
from tests.data.test_labels_of_rows import rows
from tlx.config.dataset import Digits, ImageFolder, Table
from tlx.config.dataset_parts import Column, Group
from tlx.config.errors import DataError
from tlx.data.module import Data
from tlx.data.splits import cut


@given(seed=st.integers(0, 1000), count=st.integers(60, 200), people=st.integers(8, 40))
def test_no_group_lies_in_two_splits(seed: int, count: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(people, size=count)
    whole = source(np.arange(count) % 2, [f"p{one}" for one in groups])
    found = cut(whole, Digits(split_by="group", split_seed=seed))
    assert sorted(i for one in found.values() for i in one.tolist()) == list(range(count))
    there = [set(groups[one].tolist()) for one in found.values()]
    assert sum(map(len, there)) == len(set(groups.tolist()))
    for name, size, share in (("test", count, 0.2), ("val", count - len(found["test"]), 0.15)):
        off = abs(len(found[name]) - share * size)
        said = f"{name} has {len(found[name])} of {size} examples"
        assert any(note.startswith(said) for note in whole.notes) == (off >= 1 and off > share * size / 4)
    assert all("groups ('patient') stay whole" in note for note in whole.notes)
    assert lists(found) == lists(cut(whole, Digits(split_by="group", split_seed=seed)))


def test_groups_that_are_not_kept_apart_are_counted() -> None:
    whole = source(np.arange(200) % 2, [f"p{i % 10}" for i in range(200)])
    cut(whole, Digits())
    assert whole.notes == [
        "10 of 10 groups ('patient') lie in more than one split: dataset.split_by=group keeps them apart"
    ]


def test_an_example_without_a_group_is_told_where_it_matters() -> None:
    whole = source(np.arange(40) % 2, ["", *(f"p{i}" for i in range(39))])
    cut(whole, Digits())
    assert whole.notes == []
    with pytest.raises(DataError, match=r"example 0 +no 'patient'"):
        cut(whole, Digits(split_by="group"))


def test_given_splits_that_share_a_group_are_refused() -> None:
    given = {"train": np.arange(20), "val": np.arange(20, 30), "test": np.arange(30, 40)}
    whole = source(np.arange(40) % 2, [f"p{i // 12}" for i in range(40)], splits=given)
    with pytest.raises(DataError, match=r"dataset\.group .*share 2 of 4 groups \('patient'\): 'p1', 'p2'"):
        cut(whole, Digits(split_by="group"))
    apart = source(np.arange(40) % 2, [f"p{i // 10}" for i in range(40)], splits=given)
    assert lists(cut(apart, Digits(split_by="group"))) == lists(given)


@pytest.mark.parametrize(("by", "said"), [("group", "dataset.group.pattern"), ("time", "dataset.time")])
def test_what_cannot_be_known_is_asked_for(by: str, said: str) -> None:
    with pytest.raises(DataError, match=rf"dataset\.split_by = {by} .*{said}"):
        cut(source([0, 1] * 20), Digits(split_by=by))
    with pytest.raises(DataError, match=r"dataset\.group\.column = patent .*patient"):
        cut(source([0, 1] * 20, ["a", "b"] * 20), Digits(split_by="group", group=Group(column="patent")))


def test_two_groups_are_no_three_splits() -> None:
    with pytest.raises(DataError, match=r"groups \('patient'\): 1 cannot be given to 2 parts"):
        cut(source([0, 1] * 20, ["a", "b"] * 20), Digits(split_by="group"))


@pytest.mark.parametrize("by", ["random", "group"])
@pytest.mark.parametrize("folds", [2, 5])
def test_over_all_folds_each_example_is_tested_once(by: str, folds: int) -> None:
    whole = source(np.arange(120) % 3, [f"p{i // 4}" for i in range(120)])
    found = [cut(whole, Digits(split_by=by, folds=folds, fold=fold)) for fold in range(folds)]
    assert sorted(i for one in found for i in one["test"].tolist()) == list(range(120))
    for one in found:
        assert sorted(i for part in one.values() for i in part.tolist()) == list(range(120))
    if by == "random":
        theirs = StratifiedKFold(folds, shuffle=True, random_state=0).split(np.zeros(120), np.arange(120) % 3)
        assert [one["test"].tolist() for one in found] == [test.tolist() for _, test in theirs]
    else:
        assert all(set(np.array(one["test"]) // 4).isdisjoint(np.array(one["train"]) // 4) for one in found)


@pytest.mark.parametrize("by", ["random", "group"])
def test_a_fold_that_would_take_all_of_a_class_says_so(by: str) -> None:
    labels = [0] * 20 + [1] * 20 + [2]
    told = []
    for fold in range(3):
        whole = source(labels, [f"p{i}" for i in range(41)])
        try:
            assert 40 in cut(whole, Digits(split_by=by, folds=3, fold=fold))["train"].tolist()
        except DataError as refused:
            told.append(str(refused))
    (said,) = told
    assert "tests 1 of 1 example(s) of '2', and none is left to train: leave them out, or add some" in said
    assert ("outside of their groups ('patient')" in said) == (by == "group")


@given(seed=st.integers(0, 1000), kinds=st.integers(3, 60), each=st.integers(2, 5), folds=st.integers(2, 5))
def test_folds_without_groups_are_of_one_size(seed: int, kinds: int, each: int, folds: int) -> None:
    whole = source(np.arange(kinds * each) % kinds)
    options: Any = {"duplicates": "group", "split_seed": seed, "folds": folds}
    tests = [cut(whole, Digits(**options, fold=fold))["test"] for fold in range(folds)]
    assert np.ptp([len(one) for one in tests]) <= 2
    per_fold = [np.bincount(one % kinds, minlength=kinds) for one in tests]
    assert np.ptp(per_fold, axis=0).max() <= 1


def test_folds_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match=r"dataset\.fold = 5 .*0 to 4"):
        cut(source([0, 1] * 30), Digits(folds=5, fold=5))
    given = {"train": np.arange(40), "test": np.arange(40, 60)}
    with pytest.raises(DataError, match=r"dataset\.folds = 5 .*bring a test split"):
        cut(source([0, 1] * 30, splits=given), Digits(folds=5))


def test_without_a_test_split_the_only_example_of_a_class_trains() -> None:
    whole = source([0] * 20 + [1] * 20 + [2])
    found = cut(whole, Digits(test=0.0, val=0.2))
    assert list(found) == ["train", "val"]
    assert 40 in found["train"].tolist()
    assert len(found["val"]) == 8
    assert any("of 1 class(es) with one example none validates, it trains: '2'" in note for note in whole.notes)
    assert any("no test split: dataset.test=0" in note for note in whole.notes)
    rest = cut(source([0] * 20 + [1] * 20 + [2, 2]), Digits(folds=2))
    assert all(any(one >= 40 for one in rest[name].tolist()) for name in ("train", "test"))
    with pytest.raises(DataError, match="3 of 3 examples are the only one of their class"):
        cut(source([0, 1, 2]), Digits(test=0.0))


def images(root: Path, people: int = 12, each: int = 4) -> Path:
    """Images of people, some of whom have both classes."""
    rng = np.random.default_rng(0)
    for person in range(people):
        for i in range(each):
            path = root / "ab"[i % 2] / f"patient{person:02}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(256, size=(5, 5, 3), dtype=np.uint8)).save(path)
    return root


def test_groups_from_the_paths_of_images(folder: Path) -> None:
    root = images(folder / "images")
    config = ImageFolder(root=str(root), split_by="group", group=Group(pattern=r"(patient\d+)"))
    data = Data(config, seed=0, batch_size=4)
    people = [{Path(data.source.origin(i)).name[:9] for i in one} for one in data.splits.values()]
    assert sum(map(len, people)) == 12
    listing = [[f"images/{path.relative_to(root)}", path.parent.name] for path in sorted(root.rglob("*.png"))]
    file = rows(folder / "images.csv", ["image", "label"], listing)
    options: Any = {"modality": "image", "input": "image", "split_by": "group"}
    table = load(Table(file=str(file), group=Group(pattern=r"(patient\d+)"), **options))
    assert table.rows["group"].tolist() == data.source.rows["group"].tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("by", ["random", "group"])
def test_a_pattern_says_the_groups_beside_a_column_of_that_role(folder: Path, by: str) -> None:
    root = images(folder / "images")
    cells = [
        [f"images/{path.relative_to(root)}", path.parent.name, f"s{i % 5}"]
        for i, path in enumerate(sorted(root.rglob("*.png")))
    ]
    file = rows(folder / "t.csv", ["image", "label", "site"], cells)
    columns = {"image": Column(type="image"), "label": Column(type="label")}
    columns["site"] = Column(type="category", role="group")
    group = Group(pattern=r"(patient\d+)")
    config = Table(file=str(file), modality="image", columns=columns, split_by=by, group=group)
    whole = load(config)
    found = cut(whole, config)
    people = [{cells[i][0].split("/")[-1][:9] for i in one} for one in found.values()]
    if by == "group":
        assert sum(map(len, people)) == 12
    else:
        assert any("of 12 groups ('group') lie in more than one split" in note for note in whole.notes)


def test_paths_without_a_group_are_named(folder: Path) -> None:
    root = images(folder / "images", people=30, each=2)
    with pytest.raises(DataError) as caught:
        load(ImageFolder(root=str(root), group=Group(pattern=r"(patient0\d)")))
    named = [problem.key for problem in caught.value.problems]
    assert named[:2] == ["a/patient10_0.png", "a/patient11_0.png"]
    assert (len(named), named[-1]) == (21, "dataset.group.pattern")
    assert "20 more paths" in str(caught.value)
    with pytest.raises(DataError, match="has 0 groups; expected one"):
        load(ImageFolder(root=str(root), group=Group(pattern=r"patient\d+")))


@pytest.mark.parametrize("modality", ["text", "table"])
def test_columns_of_a_file_that_splits_are_cut_by(folder: Path, modality: str) -> None:
    cells = [[f"text {i}", i % 3, "ab"[i % 2], f"p{i // 4}", f"2024-01-01T{i // 4:02}:00"] for i in range(80)]
    file = rows(folder / "a.csv", ["text", "age", "label", "patient", "when"], cells)
    config = Table(file=str(file), modality=modality, split_by="group", group=Group(column="patient"), time="when")
    whole = load(config)
    assert {column.name: column.role for column in whole.columns if column.role in ("group", "time")} == {
        "patient": "group",
        "when": "time",
    }
    found = cut(whole, config)
    assert all(set(found["test"] // 4).isdisjoint(found[name] // 4) for name in ("train", "val"))
    config.split_by = "time"
    assert sorted(cut(whole, config)["test"].tolist()) == list(range(64, 80))
    declared = {"text": Column(type="text"), "label": Column(type="label")}
    named = {"patient": Column(type="category", role="group"), "when": Column(type="text", role="time")}
    config = Table(file=str(file), columns={**declared, **named}, split_by="group")
    assert lists(cut(load(config), config)) == lists(found)
    with pytest.raises(DataError, match=r"dataset\.group\.column = patent"):
        load(Table(file=str(file), modality=modality, group=Group(column="patent")))
