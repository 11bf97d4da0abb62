"""Splits: given ones kept, missing ones cut in proportion, shots nested and fair, and clear words when too few."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.conftest import classes, labels
from tests.data.splitting import assign
from tlx.columns import Label, Labels, Text
from tlx.columns.reading import Indices, Values
from tlx.config.dataset import Digits
from tlx.config.errors import DataError
from tlx.data.source import Source


def source(counts: dict[str, int], splits: dict[str, Indices] | None = None) -> Source:
    """Texts of the classes, so many each, in mixed order."""
    numbers = np.repeat(np.arange(len(counts)), list(counts.values())).astype(np.int64)
    np.random.default_rng(0).shuffle(numbers)
    rows: dict[str, Values] = {"text": [f"text {i}" for i in range(len(numbers))], "label": numbers}
    return Source([Text("text"), Label("label", classes=tuple(counts))], rows, splits or {}).encoded()


def several(n: int) -> Source:
    """Examples with several labels each."""
    there = np.random.default_rng(0).integers(2, size=(n, 3)).astype(np.float32)
    rows: dict[str, Values] = {"text": [f"text {i}" for i in range(n)], "label": there}
    return Source([Text("text"), Labels("label", classes=("a", "b", "c"))], rows, {}).encoded()


def per_class(of: Source, indices: Indices) -> list[int]:
    """How many examples of each class."""
    return [int((labels(of)[indices] == label).sum()) for label in range(len(classes(of)))]


def test_given_splits_are_kept() -> None:
    given = {"train": np.arange(5, 20), "val": np.arange(5), "test": np.arange(20, 30)}
    found = assign(source({"a": 15, "b": 15}, given), Digits(), seed=3)
    assert {name: list(found[name]) for name in found} == {name: list(given[name]) for name in given}


def test_a_missing_split_is_cut_from_train_in_proportion() -> None:
    counts = {"a": 100, "b": 60, "c": 40}
    everything = source(counts | {"d": 20})
    val = np.flatnonzero(labels(everything) == 3)
    train = np.flatnonzero(labels(everything) != 3)
    everything.splits = {"train": train, "val": val}
    found = assign(everything, Digits(test=0.25), seed=0)
    assert per_class(everything, found["test"]) == [25, 15, 10, 0]
    assert per_class(everything, found["train"]) == [75, 45, 30, 0]
    assert list(found["val"]) == list(val)
    assert sorted([*found["train"], *found["test"]]) == list(train)


def test_both_cut_cover_everything_once_with_the_classes_in_proportion() -> None:
    everything = source({"a": 200, "b": 120, "c": 80})
    found = assign(everything, Digits(val=0.25, test=0.2), seed=0)
    assert sorted(i for indices in found.values() for i in indices) == list(range(400))
    assert per_class(everything, found["test"]) == [40, 24, 16]
    for indices in found.values():
        shares = np.array(per_class(everything, indices)) / len(indices)
        assert shares == pytest.approx([0.5, 0.3, 0.2], abs=1.5 / len(indices))


def test_splits_follow_the_split_seed_and_not_the_trial() -> None:
    everything = source({"a": 50, "b": 50})
    first = assign(everything, Digits(), seed=0)
    again = assign(everything, Digits(), seed=1)
    other = assign(everything, Digits(split_seed=1), seed=0)
    assert all(list(first[name]) == list(again[name]) for name in ("train", "val", "test"))
    assert list(first["test"]) != list(other["test"])


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_shots_are_k_per_class_and_nested(seed: int) -> None:
    everything = source({"a": 90, "b": 120, "c": 100})
    sets = {k: assign(everything, Digits(shots=k), seed)["train"] for k in (1, 5, 50)}
    for k, train in sets.items():
        assert per_class(everything, train) == [k, k, k]
        assert len(set(train)) == 3 * k
    assert set(sets[1]) < set(sets[5]) < set(sets[50]) < set(assign(everything, Digits(), seed)["train"])


def test_shots_differ_by_seed_unless_fixed() -> None:
    everything = source({"a": 90, "b": 90})
    free = {tuple(assign(everything, Digits(shots=5), seed)["train"]) for seed in range(5)}
    fixed = {tuple(assign(everything, Digits(shots=5, shots_seed=2), seed)["train"]) for seed in range(5)}
    assert len(free) == 5
    assert len(fixed) == 1
    assert fixed == {tuple(assign(everything, Digits(shots=5), seed=2)["train"])}


def test_shots_leave_val_and_test_whole() -> None:
    everything = source({"a": 90, "b": 90})
    full, few = assign(everything, Digits(), 0), assign(everything, Digits(shots=2), 0)
    assert list(full["val"]) == list(few["val"])
    assert list(full["test"]) == list(few["test"])


def test_too_few_for_the_shots_names_every_short_class() -> None:
    given = {"train": np.arange(46), "val": np.arange(46), "test": np.arange(46)}
    with pytest.raises(DataError) as caught:
        assign(source({"common": 40, "rare": 4, "rarer": 2}, given), Digits(shots=5), seed=0)
    text = str(caught.value)
    assert "dataset.shots = 5" in text
    assert "'rare' has 4 training" in text
    assert "'rarer' has 2 training" in text
    assert "'common'" not in text


def test_a_class_of_one_is_named_in_plain_words() -> None:
    with pytest.raises(DataError) as caught:
        assign(source({"a": 30, "lonely": 1, "b": 30}), Digits(), seed=0)
    text = str(caught.value)
    assert "class 'lonely' has 1 example" in text
    assert "too few" in text
    assert "least populated" not in text  # scikit-learn's words


def test_a_split_that_would_be_empty_is_said() -> None:
    given = {"train": np.arange(10), "val": np.arange(0), "test": np.arange(10, 20)}
    with pytest.raises(DataError, match=r"dataset \(val\).*no examples"):
        assign(source({"a": 10, "b": 10}, given), Digits(), seed=0)


def test_several_labels_are_split_without_classes_in_mind() -> None:
    found = assign(several(50), Digits(), seed=0)
    assert sorted(i for indices in found.values() for i in indices) == list(range(50))
    assert len(found["test"]) == 10


def test_several_labels_have_no_shots() -> None:
    with pytest.raises(DataError, match=r"dataset.shots = 3 .*one label per example"):
        assign(several(50), Digits(shots=3), seed=0)


@pytest.mark.parametrize(("shots", "val", "expected"), [(2, 0.15, 1), (5, 0.15, 1), (50, 0.2, 10)])
def test_validation_within_the_shots_takes_no_other_labels(shots: int, val: float, expected: int) -> None:
    """Of each class's k examples so many validate, the rest trains; the test split is as it was."""
    everything = source({"a": 90, "b": 90})
    extra = assign(everything, Digits(shots=shots, val=val), 3)
    within = assign(everything, Digits(shots=shots, val=val, validation="within"), 3)
    assert per_class(everything, within["val"]) == [expected] * 2
    assert sorted([*within["train"], *within["val"]]) == sorted(extra["train"])
    assert list(within["test"]) == list(extra["test"])


def test_one_shot_cannot_train_and_validate() -> None:
    with pytest.raises(DataError, match="shots=2 is the least"):
        assign(source({"a": 90, "b": 90}), Digits(shots=1, validation="within"), 0)
