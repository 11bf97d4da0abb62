"""Parquet: the same words, numbers and faults as in text files, with the row for a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.conftest import classes, inputs, labels, load
from tlx.config.dataset import Table
from tlx.config.errors import DataError
from tlx.data.source import Source
from tlx.data.sources.rows import read

pytestmark = pytest.mark.usefixtures("datasets_cache")


def parquet(file: Path, columns: dict[str, list[Any]], **options: Any) -> Source:
    """Write a table and load it."""
    pq.write_table(pa.table(columns), file)
    return load(Table(file=str(file), **options))


def test_words_and_labels(folder: Path) -> None:
    source = parquet(folder / "a.parquet", {"text": ["NA", "None", "null"], "label": ["b", "NA", "b"], "n": [1, 2, 3]})
    assert list(inputs(source)) == ["NA", "None", "null"]
    assert (classes(source), list(labels(source))) == (["NA", "b"], [1, 0, 1])
    assert source.origin(1) == f"{folder / 'a.parquet'}:2"


def test_whole_floats_are_the_classes_of_integers(folder: Path) -> None:
    (folder / "val.csv").write_text("text,label\nv,3\n")
    columns: dict[str, list[Any]] = {"text": ["x", "y"], "label": [3.0, 10.0]}
    source = parquet(folder / "a.parquet", columns, val_file=str(folder / "val.csv"))
    assert (classes(source), list(labels(source))) == (["3", "10"], [0, 1, 0])


def test_a_file_written_again_is_read_again(folder: Path) -> None:
    parquet(folder / "a.parquet", {"text": ["old"], "label": ["a"]})
    source = parquet(folder / "a.parquet", {"text": ["new", "newer"], "label": ["b", "c"]})
    assert list(inputs(source)) == ["new", "newer"]


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"text": ["x", None, "z"], "label": ["a", "b", "c"]}, "text"),
        ({"text": ["x", " ", "z"], "label": ["a", "b", "c"]}, "text"),
        ({"text": ["x", "y", "z"], "label": ["a", None, "c"]}, "label"),
        ({"text": ["x", "y", "z"], "label": [1.0, None, 3.0]}, "label"),
        ({"text": ["x", "y", "z"], "label": [1.0, float("nan"), 3.0]}, "label"),
    ],
)
def test_what_is_missing_names_its_row(folder: Path, columns: dict[str, list[Any]], column: str) -> None:
    with pytest.raises(DataError) as caught:
        parquet(folder / "a.parquet", columns)
    assert [problem.key for problem in caught.value.problems] == [f"{folder / 'a.parquet'}:2"]
    assert repr(column) in caught.value.problems[0].message
    assert len(parquet(folder / "a.parquet", columns, on_bad="skip")) == 2


def test_an_unknown_column_suggests_the_nearest(folder: Path) -> None:
    with pytest.raises(DataError, match=r"dataset.label = label .*did you mean labels\?"):
        parquet(folder / "a.parquet", {"text": ["x"], "labels": ["a"]})


@pytest.mark.parametrize("content", [b"", b"text,label\nx,a\n"])
@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_a_file_that_is_not_parquet_is_named(folder: Path, content: bytes, on_bad: str) -> None:
    (folder / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match="not readable as Parquet") as caught:
        load(Table(file=str(folder / "a.parquet"), on_bad=on_bad))
    assert str(folder / "a.parquet") in str(caught.value)


def test_every_column_that_holds_cells_and_the_others_by_name(folder: Path) -> None:
    columns = {
        "n": pa.array([1, None], pa.int8()),
        "bytes": pa.array([b"x", b"y"]),
        "f": pa.array([float("nan"), 2.5]),
        "list": pa.array([["x"], []]),
        "when": pa.array([0, 1], pa.date32()),
        "text": pa.array(["é", None]).dictionary_encode(),
        "a.b": pa.array([True, False]),
        "a": pa.array([{"b": "x"}, {"b": "y"}]),
    }
    pq.write_table(pa.table(columns), folder / "a.parquet")
    rows = read(folder / "a.parquet", "dataset.file", None)
    assert rows.cells == {
        "n": [1, None],
        "f": [None, 2.5],
        "when": columns["when"].to_pylist(),
        "text": ["é", None],
        "a.b": [True, False],
    }
    assert rows.left_out == ["bytes (binary)", "list (list<element: string>)", "a (struct<b: string>)"]
    assert (rows.lines, rows.problems) == ([1, 2], [])


def test_lists_are_for_the_label_alone(folder: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([["x"], None])}), folder / "a.parquet")
    assert read(folder / "a.parquet", "k", {"a": "dataset.label"}, lists=["a"]).cells == {"a": [["x"], None]}
    (problem,) = read(folder / "a.parquet", "k", {"a": "dataset.features.0"}).problems
    assert (problem.key, problem.value) == ("dataset.features.0", "a")
    assert "write dataset.features.0=<another column>" in problem.message
    (problem,) = read(folder / "a.parquet", "k", None).problems
    assert (problem.key, problem.message) == (str(folder / "a.parquet"), "has no column of text, numbers or dates")


def test_two_columns_of_one_name_are_refused(folder: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), folder / "a.parquet")
    (named,) = read(folder / "a.parquet", "k", {"a": "dataset.input"}).problems
    (unnamed,) = read(folder / "a.parquet", "k", None).problems
    assert (named.key, unnamed.key) == ("dataset.input", str(folder / "a.parquet"))
    assert "2 columns of" in named.message
    assert "2 columns of the name 'a'" in unnamed.message


def test_very_many_columns(folder: Path) -> None:
    pq.write_table(pa.table({f"c{i}": [i] * 700 for i in range(1001)}), folder / "a.parquet")
    assert "more than 1,000 columns" in read(folder / "a.parquet", "k", None).problems[0].message
    rows = read(folder / "a.parquet", "k", {f"c{i}": "o" for i in range(1, 1001)})
    assert rows.problems == []
    assert all(rows.cells[f"c{i}"] == [i] * 700 for i in range(1, 1001))
