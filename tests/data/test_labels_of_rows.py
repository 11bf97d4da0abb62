"""Labels of rows: an example may have none, and one column for each label may say 1, 0 or that nobody knows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.conftest import classes, labels, load, target
from tlx.columns import Labels
from tlx.config.dataset import Table
from tlx.config.dataset_parts import Column
from tlx.config.errors import DataError
from tlx.data.module import Data
from tlx.data.sources.indicators import indicator

WRITTEN = {
    1.0: ("1", "1.0", "true", "True", " 1 "),
    0.0: ("0", "0.0", "false", "FALSE", "-0"),
    None: ("", "-1", "-1.0", "nan", "NaN", " "),
}


def rows(file: Path, names: list[str], cells: list[list[Any]]) -> Path:
    """A CSV file, or JSON lines."""
    if file.suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([names, *cells])
    else:
        file.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in cells))
    return file


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("a.csv", [["one", "x|y"], ["two", ""], ["three", "x"], ["four", " "]]),
        ("a.jsonl", [["one", ["x", "y"]], ["two", []], ["three", ["x"]], ["four", ""]]),
    ],
)
def test_an_empty_cell_is_none_of_the_classes(folder: Path, name: str, cells: list[list[Any]]) -> None:
    file = rows(folder / name, ["text", "label"], cells)
    source = load(Table(file=str(file), label_separator="|"))
    assert labels(source).tolist() == [[1, 1], [0, 0], [1, 0], [0, 0]]
    assert any("2 of 4 rows have an empty 'label'" in note for note in source.notes)


def test_a_label_that_is_not_there_is_a_bad_row_still(folder: Path) -> None:
    file = folder / "a.jsonl"
    file.write_text('{"text": "one", "label": "x"}\n{"text": "two", "label": null}\n{"text": "three"}\n')
    with pytest.raises(DataError) as caught:
        load(Table(file=str(file), label_separator="|"))
    assert [problem.key for problem in caught.value.problems] == [f"{file}:2", f"{file}:3"]
    one = Table(file=str(rows(folder / "b.csv", ["text", "label"], [["one", "x"], ["two", ""]])))
    with pytest.raises(DataError, match="no label in 'label'"):
        load(one)


def test_data_without_any_label_are_refused(folder: Path) -> None:
    file = rows(folder / "a.csv", ["text", "label"], [[f"text {i}", ""] for i in range(20)])
    with pytest.raises(DataError, match="no example has any label"):
        Data(Table(file=str(file), label_separator="|"), seed=0, batch_size=4)


@given(
    known=st.lists(st.lists(st.sampled_from([1.0, 0.0, None]), min_size=3, max_size=3), min_size=1, max_size=8),
    policy=st.sampled_from(["ignore", "zeros", "ones"]),
    pick=st.integers(0, 1000),
)
def test_one_column_for_each_label(
    tmp_path_factory: pytest.TempPathFactory, known: list[list[float | None]], policy: str, pick: int
) -> None:
    """Whatever is written for it, 1 is there, 0 is not, and what is unknown stays so until splits are cut."""
    written = [
        [f"text {i}", *(WRITTEN[one][(pick + i + j) % len(WRITTEN[one])] for j, one in enumerate(row))]
        for i, row in enumerate(known)
    ]
    file = rows(tmp_path_factory.mktemp("rows") / "a.csv", ["text", "b", "a", "c"], written)
    source = load(Table(file=str(file), labels=["b", "a", "c"], unknown=policy))
    expected = np.array([[np.nan if one is None else one for one in row] for row in known])
    np.testing.assert_array_equal(labels(source), expected)
    assert classes(source) == ["b", "a", "c"]
    count = int(np.isnan(expected).sum())
    assert any(f"{count} labels of" in note for note in source.notes) == bool(count)
    column = target(source)
    assert isinstance(column, Labels)
    assert column.unknown == bool(count)


@pytest.mark.parametrize(("policy", "value"), [("ignore", np.nan), ("zeros", 0), ("ones", 1)])
@pytest.mark.parametrize("files", ["one", "three"])
def test_a_policy_is_of_the_examples_that_train(folder: Path, policy: str, value: float, files: str) -> None:
    """What is held out is measured against what is known, by whatever way it is held out."""
    rng = np.random.default_rng(0)
    table = rng.choice([0.0, 1.0, np.nan], size=(90, 3))
    written = [[i, *("" if np.isnan(one) else int(one) for one in row)] for i, row in enumerate(table)]
    named = ["x", "a", "b", "c"]
    config = Table(modality="table", labels=["a", "b", "c"], unknown=policy)
    if files == "one":
        config.file = str(rows(folder / "a.csv", named, written))
    else:
        config.file = str(rows(folder / "a.csv", named, written[:30]))
        config.val_file = str(rows(folder / "b.csv", named, written[30:60]))
        config.test_file = str(rows(folder / "c.csv", named, written[60:]))
    data = Data(config, seed=0, batch_size=4)
    data.prepare({})
    for split, examples in data.examples.items():
        known = table[data.splits[split]]
        expected = np.nan_to_num(known, nan=value) if split == "train" else known
        np.testing.assert_array_equal(examples.targets["label"].numpy(), expected, split)
        assert np.isnan(known).any()


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["a", 2, 2.0, 2.5, " a ", True], ["2", "2.5", "True", "a"]),
        ([], []),
        (["", " "], []),
        (["a\x1fb"], ["a\x1fb"]),
        (["a", None], None),
        ([["a"]], None),
        ([{"a": 1}], None),
    ],
)
def test_items_of_a_list_are_written_as_cells_of_their_own(
    folder: Path, items: list[Any], expected: list[str] | None
) -> None:
    others = [[str(item)] for item in expected or ["a"]]  # has train know each as a cell of its own
    cells = [*(["text", other] for other in others), ["text", items], ["text", ["a", "b"]]]
    file = rows(folder / "a.jsonl", ["text", "label"], cells)
    config = Table(file=str(file), label_separator="|")
    if expected is None:
        with pytest.raises(DataError, match="an item of 'label' is no name of a class") as caught:
            load(config)
        assert [problem.key for problem in caught.value.problems] == [f"{file}:{len(cells) - 1}"]
        return
    source = load(config)
    there = [name for name, one in zip(classes(source), labels(source)[-2], strict=True) if one]
    assert there == expected
    assert set(classes(source)) == {*expected, "a", "b"}


@pytest.mark.parametrize("cell", [["a"], {"a": 1}])
def test_one_label_is_no_list_and_no_object(folder: Path, cell: Any) -> None:
    file = rows(folder / "a.jsonl", ["text", "label"], [["one", "a"], ["two", cell]])
    with pytest.raises(DataError, match="'label' is") as caught:
        load(Table(file=str(file)))
    assert [problem.key for problem in caught.value.problems] == [f"{file}:2"]


def test_labels_that_train_has_never_or_always_are_said(folder: Path) -> None:
    cells = [[i, 0, 1, i % 2, ["", 1][i % 2]] for i in range(40)]
    file = rows(folder / "a.csv", ["x", "never", "always", "mixed", "known"], cells)
    data = Data(
        Table(file=str(file), modality="table", labels=["never", "always", "mixed", "known"]), seed=0, batch_size=4
    )
    notes = [note for note in data.source.notes if note.startswith("labels that")]
    assert notes == [
        "labels that no example of train has: 'never'",
        "labels that every example of train has, where it is known: 'always', 'known'",
    ]


@pytest.mark.parametrize("cell", ["yes", "no", "2", "0.5", "x", "1,0", "inf", "-2"])
def test_what_is_no_indicator_names_its_place(folder: Path, cell: str) -> None:
    assert indicator(cell) is None
    file = rows(folder / "a.csv", ["text", "a", "b"], [["one", "1", "0"], ["two", cell, "0"], ["three", "0", "1"]])
    with pytest.raises(DataError) as caught:
        load(Table(file=str(file), labels=["a", "b"]))
    assert [problem.key for problem in caught.value.problems] == [f"{file}:3"]
    assert "'a'" in str(caught.value)
    left = load(Table(file=str(file), labels=["a", "b"], on_bad="skip"))
    assert labels(left).tolist() == [[1, 0], [0, 1]]


def test_labels_beside_declared_columns_and_in_a_table_of_numbers(folder: Path) -> None:
    file = rows(folder / "a.csv", ["age", "sex", "a", "b"], [[40 + i, "fm"[i % 2], i % 2, -1] for i in range(4)])
    found = load(Table(file=str(file), modality="table", labels=["a", "b"]))
    assert {column.name: column.role for column in found.columns} == {"age": "input", "sex": "input", "label": "target"}
    declared = Table(file=str(file), columns={"age": Column(type="number")}, labels=["a", "b"], label="findings")
    assert [column.name for column in load(declared).columns] == ["age", "findings"]


def test_a_column_that_is_not_there_or_called_as_the_target(folder: Path) -> None:
    file = rows(folder / "a.csv", ["text", "label", "edema"], [["one", "1", "0"]])
    with pytest.raises(DataError, match=r"dataset\.labels = oedema .*edema"):
        load(Table(file=str(file), labels=["oedema"]))
    with pytest.raises(DataError, match=r"dataset\.label = text .*another name"):
        load(Table(file=str(file), labels=["edema"], label="text"))
