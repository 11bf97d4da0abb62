"""Labels: the names of classes, settled by train, known in part or not at all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.strategies import FEW, WORDS, back, chosen, look, sorted_as_classes
from tlx.columns import Label, Labels, Reading


@given(st.lists(FEW | WORDS, min_size=1, max_size=20), st.data())
def test_classes_are_those_of_train_in_order(names: list[str], data: st.DataObject) -> None:
    train = chosen(data, len(names))
    column, codes, problems = Label("label").encode(names, train)
    there = {names[i] for i in train}
    assert list(column.classes) == sorted_as_classes(there)
    assert isinstance(codes, np.ndarray)
    assert codes.dtype == np.int64
    for name, code in zip(names, codes.tolist(), strict=True):
        assert (column.classes[code] == name) if name in there else code == -1
    missing = {name: names.index(name) for name in names if name not in there}
    assert problems == {i: f"class {name!r} is not in train" for name, i in missing.items()}
    assert column.fit(codes[train]) == column
    assert back(column) == column
    known = np.flatnonzero(codes >= 0)
    assert [column.shown(code) for code in codes[known]] == [names[i] for i in known]
    collated = column.collate(codes[known], Reading())
    assert collated.dtype == torch.int64
    assert collated.tolist() == codes[known].tolist()
    strata = column.strata(codes)
    assert [strata.names[code] for code in strata.codes[known]] == [names[i] for i in known]


@given(st.lists(st.integers(-3, 6), min_size=1, max_size=20), st.data())
def test_numbers_of_given_classes_stay(numbers: list[int], data: st.DataObject) -> None:
    column = Label("label", classes=("z", "a", "m"))
    found, codes, problems = column.encode(numbers, np.arange(len(numbers)))
    assert (found, list(codes), problems) == (column, numbers, {})
    used = chosen(data, len(numbers))
    wrong = found.problems(codes, used, look())
    assert set(wrong) == {i for i in used.tolist() if not 0 <= numbers[i] < 3}
    assert all("0..2" in problem for problem in wrong.values())


@given(st.lists(st.integers(0, 7), min_size=3, max_size=20), st.booleans())
def test_classes_that_are_not_held_out_are_named(numbers: list[int], several: bool) -> None:
    names = tuple("abcdefgh")
    splits = {"train": np.array([0]), "val": np.array([1]), "test": np.arange(2, len(numbers))}
    expected = {name: [one for i, one in enumerate(names) if i not in {numbers[k] for k in rows}]
                for name, rows in splits.items() if name != "train"}  # fmt: skip
    values: Any = np.array(numbers)
    column: Any = Label("label", classes=names)
    if several:  # unknown is not there
        values = np.where(np.eye(8)[values] == 1, 1, np.where(np.arange(8) % 2, np.nan, 0)).astype(np.float32)
        column = Labels("labels", classes=names, unknown=True)
    found = [note for note in column.notes(values, splits) if "example of train" not in note]
    assert len(found) == sum(bool(one) for one in expected.values())
    for name, absent in expected.items():
        said = next((note for note in found if note.startswith(f"{name} has no ")), "")
        assert all(f"{one!r}" in said for one in absent[:5])
        assert not any(f"{one!r}" in said for one in set(names) - set(absent))
        assert len(absent) < 2 or f"{len(absent)} of 8 classes" in said
    assert dataclasses.replace(column, role="group").notes(values, splits) == []


def test_a_class_without_an_example_in_train_is_told() -> None:
    column = Label("label", classes=("a", "b", "c"))
    splits = {"train": np.array([0, 1]), "val": np.array([2])}
    assert [problem.message for problem in column.split_problems(np.array([0, 2, 1]), splits)] == [
        "no example of class 'b'"
    ]
    (problem,) = Label("label", classes=("a",)).split_problems(np.zeros(3, np.int64), splits)
    assert "only one class" in problem.message


@given(st.lists(st.sets(FEW, max_size=4) | st.dictionaries(FEW, st.sampled_from([True, False, None])), max_size=12))
def test_several_labels_are_there_not_there_or_unknown(values: list[Any]) -> None:
    names = sorted({name for value in values for name in value})
    column, encoded, problems = Labels("labels").encode(values, np.arange(len(values)))
    assert (list(column.classes), problems) == (names, {})
    assert isinstance(encoded, np.ndarray)
    assert encoded.dtype == np.float32
    expected = [
        [
            (math.nan if value.get(name) is None else float(value[name]))
            if isinstance(value, Mapping)
            else float(name in value)
            for name in names
        ]
        for value in values
    ]
    np.testing.assert_array_equal(encoded, np.array(expected, dtype=np.float32).reshape(len(values), len(names)))
    assert column.unknown == bool(np.isnan(encoded).any())
    assert column.problems(encoded, np.arange(len(values)), look()) == {}
    assert back(column) == column
    for row, value in zip(encoded, values, strict=True):
        there = {name for name, yes in value.items() if yes} if isinstance(value, Mapping) else set(value)
        assert column.shown(row) == sorted(there)
    torch.testing.assert_close(column.collate(encoded, Reading()), torch.from_numpy(encoded), equal_nan=True)


@given(st.lists(st.sets(FEW, max_size=4), min_size=1, max_size=12), st.data())
def test_every_label_that_train_lacks_is_told(values: list[set[str]], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    there = {name for i in train for name in values[i]}
    column, encoded, problems = Labels("labels").encode(values, train)
    assert list(column.classes) == sorted(there)
    told = " ".join(problems.values())
    for name in {name for value in values for name in value} - there:
        first = next(i for i, value in enumerate(values) if name in value)
        assert f"class {name!r} is not in train" in told
        assert repr(name) in problems[first]
    for i in train.tolist():
        assert {name for name, yes in zip(column.classes, encoded[i], strict=True) if yes} == values[i]


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, math.nan, 2.0, -1.0]), min_size=3, max_size=3), min_size=1))
def test_an_array_of_given_labels_stays(rows: list[list[float]]) -> None:
    column, encoded, _ = Labels("labels", classes=("a", "b", "c")).encode(np.array(rows), np.arange(len(rows)))
    np.testing.assert_array_equal(encoded, np.array(rows, dtype=np.float32))
    assert column.unknown == any(math.isnan(one) for row in rows for one in row)
    wrong = {i for i, row in enumerate(rows) if any(one in (2.0, -1.0) for one in row)}
    assert set(column.problems(encoded, np.arange(len(rows)), look())) == wrong


def test_a_label_of_which_train_knows_nothing_is_told() -> None:
    values = np.array([[1, math.nan], [0, math.nan], [1, 1]], dtype=np.float32)
    column = Labels("labels", classes=("a", "b"), unknown=True)
    (problem,) = column.split_problems(values, {"train": np.array([0, 1]), "val": np.array([2])})
    assert "whether it is 'b' is unknown of every example" in problem.message
    assert column.split_problems(values, {"train": np.array([0, 2])}) == []
