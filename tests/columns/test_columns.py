"""Columns of every kind: what they learn of train, what a network gets of them, and what is told of bad values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pictures
from torch import Tensor

from tlx.columns import KINDS, Category, Column, Image, Label, Labels, Number, Reading, Text, images
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.columns.reading import META, PLAIN, Indices, Inspection
from tlx.columns.schema import Schema, channels
from tlx.config.dataset import Limits
from tlx.config.errors import ConfigError, DataError, WeightsError
from tlx.data import schema_file
from tlx.data.examples import Examples
from tlx.data.source import Source
from tlx.files import foreign
from tlx.runs import layout

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
FEW = st.sampled_from(["red", "Red", "blue", "", "10", "9", "-1", "ä", "²", "zebra"])
FINITE = st.floats(-1e6, 1e6)
ROLES = ("input", "target", *META)
PIXELS = ImageSpec(1, 4, 3, (0.5,), (0.25,))


def chosen(data: st.DataObject, count: int, least: int = 1) -> Indices:
    """Some of so many examples, in order."""
    found = data.draw(st.sets(st.integers(0, count - 1), min_size=least, max_size=count))
    return np.array(sorted(found), dtype=np.int64)


def look() -> Inspection:
    """A look at values that nobody remembers."""
    return Inspection(Limits(), uuid4().hex, lambda i: f"place {i}")


def sorted_as_classes(names: set[str]) -> list[str]:
    """By value where all are whole numbers, else by name."""
    try:
        whole = all(str(int(name)).lstrip("-").isascii() and name.lstrip("-").isdecimal() for name in names)
        whole = whole and all(name.isascii() and "--" not in name for name in names)
    except ValueError:
        whole = False
    return sorted(sorted(names), key=int) if whole else sorted(names)


def back(column: Column) -> Column:
    """The column that JSON makes of its settings."""
    (found,) = schema_file.parsed(json.loads(json.dumps([column.settings()])), {}).columns
    return found


# Labels


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


# Numbers


def as_number(value: Any) -> float:
    """By Python alone."""
    if value is None:
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan


CELLS = FINITE | st.integers(-1000, 1000) | st.booleans() | FINITE.map(lambda one: f" {one!r} ")
BAD_CELLS = st.sampled_from([None, "", "x", "1,5", math.nan, math.inf, "nan", "1e999"])


@given(st.lists(CELLS, min_size=1, max_size=20), st.data())
def test_numbers_know_mean_and_deviation_of_train(values: list[Any], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    column, encoded, problems = Number("number").encode(values, train)
    expected = np.array([as_number(value) for value in values])
    np.testing.assert_array_equal(encoded, expected)
    assert problems == {}
    assert isinstance(encoded, np.ndarray)
    fitted = column.fit(encoded[train])
    there = expected[train]
    assert fitted.mean == pytest.approx(np.mean(there), rel=1e-9, abs=1e-9)
    if len(set(there.tolist())) == 1:
        assert fitted.deviation == 1
    elif there.std() > 1e-6 * max(1, abs(there.mean())):
        assert fitted.deviation == pytest.approx(np.std(there), rel=1e-6)
    assert fitted.deviation > 0
    assert back(fitted) == fitted
    standardised = (expected - fitted.mean) / fitted.deviation
    np.testing.assert_allclose(fitted.collate(encoded, Reading()).numpy(), standardised.astype(np.float32))
    target = Number("number", role="target").fit(encoded[train])
    np.testing.assert_array_equal(target.collate(encoded, Reading()).numpy(), expected)


@given(st.lists(FINITE, min_size=1, max_size=20), st.data())
def test_other_splits_teach_a_number_nothing(values: list[float], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    altered = np.array(values)
    altered[np.setdiff1d(np.arange(len(values)), train)] += 1000
    one, other = (
        Source([Number("number")], {"number": rows}, {}).encoded().fitted(train) for rows in (np.array(values), altered)
    )
    assert one.columns == other.columns


@pytest.mark.parametrize("value", [0.1, -0.3, 1e6 + 0.1, 7.0, 1e-12])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_a_constant_number_has_a_deviation_of_one(value: float, count: int) -> None:
    """In floats the deviation of equal numbers need not be zero, and what is divided by it would be noise."""
    assert Number("number").fit(np.full(count, value)).deviation == 1


@given(st.lists(CELLS | BAD_CELLS, min_size=1, max_size=20), st.data())
def test_what_is_no_finite_number_is_told(values: list[Any], data: st.DataObject) -> None:
    used = chosen(data, len(values))
    column, encoded, _ = Number("number").encode(values, used)
    wrong = {i for i in used.tolist() if not math.isfinite(as_number(values[i]))}
    assert set(column.problems(encoded, used, look())) == wrong


@pytest.mark.parametrize("values", [np.array([1, 2], np.uint8), np.array([True, False]), np.array([1.5], np.float16)])
def test_arrays_of_numbers_are_numbers(values: Any) -> None:
    _, encoded, _ = Number("number").encode(values, np.arange(len(values)))
    assert isinstance(encoded, np.ndarray)
    assert encoded.dtype == np.float64
    np.testing.assert_array_equal(encoded, values.astype(float))


# Categories


@given(st.lists(FEW | st.none() | st.integers(0, 3) | st.sampled_from([1.0, 2.5]), min_size=1, max_size=20), st.data())
def test_categories_are_numbered_from_one_as_train_has_them(values: list[Any], data: st.DataObject) -> None:
    train = chosen(data, len(values))
    names = [
        "" if one is None else str(int(one)) if isinstance(one, float) and one == 1 else str(one) for one in values
    ]
    column, encoded, problems = Category("category").encode(values, train)
    assert (list(encoded), problems) == (names, {})
    fitted = column.fit([encoded[i] for i in train])
    there = sorted({names[i] for i in train})
    assert list(fitted.categories) == there
    expected = [there.index(name) + 1 if name in there else 0 for name in names]
    assert [fitted.prepare(name, Reading()) for name in encoded] == expected
    taken = fitted.reader(encoded, np.arange(len(values)), Reading()).take([(0, i) for i in range(len(values))])
    assert taken.dtype == torch.int64
    assert taken.tolist() == expected
    assert back(fitted) == fitted
    assert fitted.fit(["something", "else"]) == fitted


def test_given_categories_stay() -> None:
    column = Category("category", categories=("z", "a"))
    assert column.fit(["a", "b"]) == column
    assert [column.prepare(word, Reading()) for word in ("z", "a", "b", " a ")] == [1, 2, 0, 2]


# Texts


def letters(texts: Sequence[str], truncation: bool, max_length: int, padding: bool) -> dict[str, list[list[int]]]:
    """A tokenizer whose tokens are letters."""
    assert truncation
    assert not padding
    return {"input_ids": [[ord(letter) % 100 + 1 for letter in text][:max_length] for text in texts]}


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=10), st.integers(1, 9), st.data())
def test_texts_become_tokens_and_a_mask(texts: list[str], most: int, data: st.DataObject) -> None:
    reading = Reading(TextSpec(letters, most, pad_id=7))
    column, encoded, problems = Text("text").encode(texts, np.arange(len(texts)))
    assert (column, list(encoded), problems) == (Text("text"), texts, {})
    indices = chosen(data, len(texts))
    positions = data.draw(st.lists(st.integers(0, len(indices) - 1), min_size=1, max_size=8))
    found = column.reader(encoded, indices, reading).take([(0, at) for at in positions])
    tokens = [[ord(letter) % 100 + 1 for letter in texts[indices[at]]][:most] for at in positions]
    longest = max(map(len, tokens))
    assert found["input_ids"].tolist() == [one + [7] * (longest - len(one)) for one in tokens]
    assert found["attention_mask"].tolist() == [[1] * len(one) + [0] * (longest - len(one)) for one in tokens]
    again = column.collate([column.prepare(texts[indices[at]], reading) for at in positions], reading)
    assert all(torch.equal(again[name], found[name]) for name in found)


@given(st.lists(st.text(alphabet=" \t\nx\u3000", max_size=3), min_size=1, max_size=10))
def test_blank_texts_are_told(texts: list[str]) -> None:
    wrong = Text("text").problems(texts, np.arange(len(texts)), look())
    assert wrong == {i: "empty text" for i, text in enumerate(texts) if not text.strip()}


# Images


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.data())
def test_images_are_prepared_one_by_one_or_all_at_once(
    count: int, height: int, width: int, data: st.DataObject
) -> None:
    stack = np.random.default_rng(count).integers(256, size=(count, height, width), dtype=np.uint8)
    column, values, _ = Image("image").encode(stack, np.arange(count))
    assert column == Image("image", channels=1)
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
            values.append(np.zeros((3, 5, 4), np.uint8))
            continue
        picture = Pictures.new("L" if mode == "L" else "RGB", (5, 3))
        picture.save(folder / f"{i}.png")
        values.append(folder / f"{i}.png" if i % 2 else picture)
    column, _, _ = Image("image").encode(values, np.arange(len(values)))
    assert column.channels == expected
    seen = look()
    assert column.problems(values, np.arange(len(values)), seen) == {}
    assert seen.sizes == dict.fromkeys(range(len(values)), (3, 5))
    assert [column.file(value) is not None for value in values] == [isinstance(value, Path) for value in values]


def test_bad_images_are_told_by_example(folder: Path) -> None:
    (folder / "text.png").write_text("no image")
    sound = np.zeros((3, 5, 3), np.uint8)
    values = [sound, folder / "text.png", np.zeros((3, 5, 7)), np.full((2, 2, 3), np.nan), folder / "none.png", sound]
    found = Image("image", channels=3).problems(values, np.array([0, 1, 2, 3, 4]), look())
    assert list(found) == [1, 2, 3, 4]
    assert [word in found[i] for i, word in enumerate(["unreadable", "7 channels", "NaN", "FileNotFound"], 1)] == [
        True
    ] * 4


# A column as such


class Point(Column):
    """Values that are used as they are."""


def test_any_column_stacks_what_it_is_given() -> None:
    values = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0])]
    column, encoded, problems = Point("point").encode(values, np.arange(3))
    assert problems == {}
    found = column.reader(encoded, np.array([2, 0]), Reading()).take([(0, 1), (0, 0), (4, 1)])
    assert found.tolist() == [[1, 2], [5, 6], [1, 2]]


def test_whatever_the_code_of_a_column_raises_is_told() -> None:
    class Fragile(Column):
        def read(self, value: Any, limits: Limits | None = None) -> Any:
            return 1 / value

        def problem(self, value: Any) -> str:
            return "too small" if value < 0.1 else ""

    found = Fragile("fragile").problems([1, 0, 100, "x"], np.arange(4), look())
    assert found[2] == "too small"
    assert "ZeroDivisionError" in found[1]
    assert "TypeError" in found[3]
    assert list(found) == [1, 2, 3]


# Settings


COLUMNS = st.one_of(
    st.builds(Image, WORDS, st.sampled_from(ROLES), st.integers(0, 300)),
    st.builds(Text, WORDS, st.sampled_from(ROLES)),
    st.builds(Label, WORDS, st.sampled_from(ROLES), st.lists(WORDS).map(tuple)),
    st.builds(Labels, WORDS, st.sampled_from(ROLES), st.lists(WORDS).map(tuple), st.booleans()),
    st.builds(Number, WORDS, st.sampled_from(ROLES), FINITE, st.floats(1e-6, 1e6)),
    st.builds(Category, WORDS, st.sampled_from(ROLES), st.lists(WORDS).map(tuple)),
)
SCHEMATA = st.builds(
    Schema,
    st.lists(COLUMNS, unique_by=lambda column: column.name, max_size=5).map(tuple),
    st.dictionaries(st.sampled_from(["train", "val", "test"]), st.integers(0, 10**6)),
)


@given(SCHEMATA)
def test_a_schema_comes_back_from_its_file(tmp_path_factory: pytest.TempPathFactory, schema: Schema) -> None:
    place = tmp_path_factory.mktemp("schema")
    schema_file.write(place, schema)
    assert schema_file.read(place) == schema


@given(COLUMNS, st.data())
def test_settings_that_tlx_does_not_write_are_refused(column: Column, data: st.DataObject) -> None:
    settings = column.settings()
    name = data.draw(st.sampled_from(sorted(settings)))
    changed = {
        "less": {key: value for key, value in settings.items() if key != name},
        "more": {**settings, "more": 1},
        "other": {**settings, name: data.draw(st.sampled_from([None, {}, [1], [None], {"a": 1}]))},
        "kind": {**settings, "kind": "no kind"},
        "role": {**settings, "role": "no role"},
    }
    for what, one in changed.items():
        with pytest.raises(foreign.Unreadable):
            raise AssertionError(f"{what}: {schema_file.parsed(json.loads(json.dumps([one])), {})}")


@pytest.mark.parametrize("columns", [None, {}, "x", 1, ["x"], [None], [[]]])
def test_columns_that_are_none_are_refused(columns: Any) -> None:
    with pytest.raises(foreign.Unreadable):
        schema_file.parsed(columns, {})
    bad: list[Any] = [None, [], {"train": "1"}, {"train": True}, {"train": 0.5}]
    for counts in bad:
        with pytest.raises(foreign.Unreadable):
            schema_file.parsed([], counts)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(foreign.Unreadable):
        schema_file.parsed([Text("a").settings(), Number("a").settings()], {})


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"columns": []}', '{"counts": {}}', '{"columns": [{"kind": []}], "counts": {}}']
)
def test_a_schema_file_that_is_none_is_refused(folder: Path, content: str) -> None:
    with pytest.raises(WeightsError, match=layout.SCHEMA):
        schema_file.read(folder)
    (folder / layout.SCHEMA).write_text(content)
    with pytest.raises(WeightsError, match=layout.SCHEMA):
        schema_file.read(folder)


def test_each_kind_has_a_name_of_its_own() -> None:
    assert {kind.kind for kind in KINDS.values()} == set(KINDS)
    assert len(KINDS) == 6


@given(SCHEMATA)
def test_columns_are_found_by_their_role(schema: Schema) -> None:
    by_role = {role: [one.name for one in schema.columns if one.role == role] for role in ROLES}
    assert list(schema.inputs) == by_role["input"]
    assert list(schema.targets) == by_role["target"]
    assert sorted(schema.meta) == sorted(name for role in META for name in by_role[role])
    if len(by_role["weight"]) > 1:
        with pytest.raises(ConfigError, match="several weights"):
            print(schema.weight)
    else:
        assert schema.weight == next(iter(by_role["weight"]), None)
    pictures = [one.channels for one in schema.inputs.values() if isinstance(one, Image)]
    assert channels(schema.inputs) == next(iter(pictures), 0)


# Batches


@pytest.fixture
def batch() -> Batch:
    """One of each."""
    inputs = {
        "image": torch.rand(2, 1, 3, 3),
        "text": {"input_ids": torch.ones(2, 4), "attention_mask": torch.ones(2, 4)},
    }
    meta = {"weight": torch.tensor([1.0, 2.0]), "patient": ["a", "b"]}
    kept = [[torch.rand(2, 5)], [torch.rand(2, 6), torch.rand(2, 7)]]
    return Batch(torch.tensor([5, 9]), inputs, {"label": torch.tensor([0, 1])}, meta, kept)


def test_every_tensor_of_a_batch_is_named(batch: Batch) -> None:
    found = dict(batch.tensors())
    names = [
        "index",
        "inputs.image",
        "inputs.text.input_ids",
        "inputs.text.attention_mask",
        "targets.label",
        "meta.weight",
    ]
    assert [name for name in found if not name.startswith("kept")] == names
    assert found["index"] is batch.index
    assert found["inputs.text.input_ids"] is batch.inputs["text"]["input_ids"]
    assert len(batch) == 2


def test_every_tensor_of_a_batch_is_changed(batch: Batch) -> None:
    seen: list[Tensor] = []

    def change(tensor: Tensor) -> Tensor:
        seen.append(tensor)
        return tensor[1:]

    half = batch.map(change)
    assert len(half) == 1
    assert half.index.tolist() == [9]
    assert half.kept is not None
    assert batch.kept is not None
    assert [[one.shape[0] for one in row] for row in half.kept] == [[1], [1, 1]]
    assert torch.equal(half.kept[1][1], batch.kept[1][1][1:])
    assert half.meta["patient"] == ["a", "b"]  # words are no tensors
    assert len(seen) == len([name for name, _ in batch.tensors() if not name.startswith("kept")]) + 3
    assert all(
        torch.equal(mine, wanted[1:]) for (_, mine), (_, wanted) in zip(half.tensors(), batch.tensors(), strict=True)
    )


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "meta"])
def test_a_batch_moves_as_a_whole(batch: Batch, device: str | torch.device) -> None:
    moved = batch.to(device)
    kind = torch.device(device).type
    assert {tensor.device.type for _, tensor in moved.tensors()} == {kind}
    assert moved.kept is not None
    assert {one.device.type for row in moved.kept for one in row} == {kind}
    assert moved.meta["patient"] == ["a", "b"]
    if kind == "cpu":
        assert all(torch.equal(a, b) for (_, a), (_, b) in zip(moved.tensors(), batch.tensors(), strict=True))


def test_a_task_sees_nothing_of_what_was_kept(batch: Batch) -> None:
    bare = batch.without_kept()
    assert bare.kept is None
    assert batch.kept is not None
    assert bare.inputs is batch.inputs
    assert bare.without_kept() is bare


def test_a_batch_holds_what_is_known_of_its_examples() -> None:
    columns = [
        Number("size"),
        Label("label"),
        Number("share", role="weight"),
        Category("patient", role="group"),
        Text("name", role="id"),
    ]
    rows: dict[str, Sequence[Any]] = {
        "size": [1.0, 2.0, 3.0, 4.0],
        "label": ["b", "a", "b", "a"],
        "share": [1, 0, 2, 5],
        "patient": ["x", "y", "x", "z"],
        "name": ["n0", "n1", "n2", "n3"],
    }
    source = Source(columns, rows, {}).encoded().fitted(np.array([0, 1]))
    examples = Examples(source, np.array([3, 1, 0]), {})
    found = examples.__getitems__([(0, 2), (0, 0)])
    assert found.index.tolist() == [0, 3]
    assert found.inputs["size"].tolist() == [-1, 5]  # in deviations of the first two
    assert found.targets["label"].tolist() == [1, 0]
    assert found.meta["share"].tolist() == [1, 5]
    assert list(found.meta["patient"]) == ["x", "z"]
    assert list(found.meta["name"]) == ["n0", "n3"]
    assert source.schema({}).weight == "share"


# Sources


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ([Text("a")], {"b": ["x"]}, "expected values for each of the columns"),
        ([Text("a")], {}, "expected values for each of the columns"),
        ([], {"a": ["x"]}, "expected values for each of the columns"),
        ([Text("a")], {"a": ["x"], "b": ["y"]}, "expected values for each of the columns"),
        ([Text("a"), Label("b")], {"a": ["x"]}, "expected values for each of the columns"),
        ([Text("a"), Label("a")], {"a": ["x"]}, "expected values for each of the columns"),
        ([Text("a"), Label("b")], {"a": ["x"], "b": ["y", "z"]}, "as many values in each column"),
        ([Text("a"), Label("b")], {"a": [], "b": np.zeros(3)}, "as many values in each column"),
    ],
)
def test_a_source_whose_parts_do_not_match_is_refused(
    columns: list[Column], rows: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Source(columns, rows, {})


@given(st.lists(st.tuples(FEW, FINITE, FEW), min_size=1, max_size=20), st.data())
def test_a_source_learns_of_train_alone(rows: list[tuple[str, float, str]], data: st.DataObject) -> None:
    train = chosen(data, len(rows))
    rest = np.setdiff1d(np.arange(len(rows)), train)
    names, numbers, words = zip(*rows, strict=True)
    columns = [Number("number"), Category("word"), Label("label")]
    values = {"label": list(names), "number": list(numbers), "word": list(words)}
    source = Source(columns, values, {"train": train, "val": rest}, origin=lambda i: f"place {i}")
    missing = {name: names.index(name) for name in names if name not in {names[i] for i in train}}
    if missing:
        with pytest.raises(DataError) as caught:
            source.encoded()
        told = {problem.key: problem.message for problem in caught.value.problems}
        assert told == {f"place {i}": f"class {name!r} is not in train" for name, i in missing.items()}
        return
    encoded = source.encoded()
    assert source.columns == columns  # it is as it was
    assert list(source.rows["label"]) == list(names)
    fitted = encoded.fitted(train)
    kinds = {column.name: column for column in fitted.columns}
    number, word, label = kinds["number"], kinds["word"], kinds["label"]
    assert isinstance(number, Number)
    assert isinstance(word, Category)
    assert isinstance(label, Label)
    assert number.mean == pytest.approx(np.mean([numbers[i] for i in train]), rel=1e-9, abs=1e-9)
    assert list(word.categories) == sorted({words[i] for i in train})
    assert list(label.classes) == sorted_as_classes({names[i] for i in train})
    assert fitted.schema(source.splits).counts == {"train": len(train), "val": len(rest)}
    strata = fitted.strata
    assert strata is not None
    assert [strata.names[code] for code in strata.codes] == list(names)


def test_very_many_bad_values_are_counted() -> None:
    names = ["a", *(f"class {i}" for i in range(130))]
    source = Source([Label("label")], {"label": names}, {"train": np.array([0])})
    with pytest.raises(DataError) as caught:
        source.encoded()
    assert len(caught.value.problems) == 101
    assert "30 more" in caught.value.problems[-1].message


def test_a_schema_of_a_stranger_is_not_larger_than_a_network_should_be() -> None:
    many = [str(i) for i in range(100_001)]
    for column in (
        {**Label("a").settings(), "classes": many},
        {**Category("a").settings(), "categories": many},
        {**Image("a").settings(), "channels": 257},
        {**Image("a").settings(), "channels": -1},
    ):
        with pytest.raises(foreign.Unreadable, match="expected at most"):
            schema_file.parsed([column], {})
