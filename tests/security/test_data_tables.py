"""Tables that others made: cells, rows and columns that would become large, or are none. Each is a named problem."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from tests.data.conftest import classes, load
from tlx.config.dataset import Table
from tlx.config.dataset_parts import Limits
from tlx.config.errors import DataError
from tlx.data.sources.rows import Rows, read

COLUMNS = {"text": "dataset.input", "label": "dataset.label"}


def refused(make: Callable[[], object]) -> dict[str, str]:
    """The problems of data that are refused, by key."""
    with pytest.raises(DataError) as caught:
        make()
    return {problem.key: f"{problem.value} {problem.message}" for problem in caught.value.problems}


# Tables


def rows_of(file: Path, content: bytes, **limits: int) -> Rows:
    """Write and read a file."""
    file.write_bytes(content)
    return read(file, "dataset.file", COLUMNS, Limits(**limits))


def test_a_long_cell_is_one_bad_row(folder: Path) -> None:
    content = b"text,label\n" + b"x" * 60 + b",a\nfine,b\n"
    rows = rows_of(folder / "a.csv", content, cell_characters=50)
    assert rows.cells["text"] == ["fine"]
    assert "dataset.limits.cell_characters" in rows.problems[0].message
    rows = rows_of(folder / "a.csv", content, row_bytes=50)
    assert (rows.cells["text"], rows.lines) == (["fine"], [3])
    assert [p.key for p in rows.problems] == [f"{folder / 'a.csv'}:2"]
    assert "dataset.limits.row_bytes" in rows.problems[0].message


@pytest.mark.parametrize("limit", ["cell_characters", "row_bytes"])
def test_what_follows_an_open_quote_is_not_taken_for_rows(folder: Path, limit: str) -> None:
    content = b'text,label\nfine,a\n"open,b\n' + b"looks like,a row\n" * 20
    rows = rows_of(folder / "a.csv", content, **{limit: 60})
    assert rows.cells["text"] == ["fine"]
    assert rows.problems[-1].key == f"dataset.limits.{limit}"
    assert f"{folder / 'a.csv'}:3 begins" in rows.problems[-1].message


def test_the_limit_of_the_csv_module_is_as_it_was(folder: Path) -> None:
    before = csv.field_size_limit()
    rows_of(folder / "a.csv", b"text,label\n" + b"x" * 200_000 + b",a\n")
    rows_of(folder / "a.csv", b"text,label\n" + b"x" * 200_000 + b",a\n", cell_characters=10)
    assert csv.field_size_limit() == before


def test_three_hundred_megabytes_without_an_end_are_not_kept(folder: Path) -> None:
    with (folder / "a.jsonl").open("wb") as stream:
        stream.truncate(300 << 20)  # it takes no room on the disk
        stream.seek(0, os.SEEK_END)
        stream.write(b'\n{"text": "one", "label": "a"}\n')
    rows = read(folder / "a.jsonl", "dataset.file", COLUMNS)
    assert (rows.cells["text"], rows.lines, len(rows.problems)) == (["one"], [2], 1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"text": "x", "label": ' + b"1" * 5000 + b"}",
        b'{"text": "x", "label": 1e999}',
        b'{"text": "\\ud800", "label": "a"}',
        b'{"text": "' + b"x" * 101 + b'", "label": "a"}',
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_a_line_that_json_cannot_bear_is_a_bad_row(folder: Path, line: bytes) -> None:
    good = b'{"text": "one", "label": "a"}'
    rows = rows_of(folder / "a.jsonl", b"\n".join([good, line, good]), cell_characters=100)
    assert [p.key for p in rows.problems] == [f"{folder / 'a.jsonl'}:2"]
    assert rows.cells["text"] == ["one", "one"]


def test_a_class_of_very_many_digits_is_a_word(folder: Path) -> None:
    (folder / "a.csv").write_text(f"text,label\none,{'1' * 5000}\ntwo,2\n")
    assert len(classes(load(Table(file="a.csv")))) == 2


@given(
    rows=some.lists(some.tuples(some.text(max_size=30), some.sampled_from("ab")), min_size=1, max_size=8),
    cell=some.integers(1, 40),
    row=some.integers(1, 80),
)
@example(rows=[('a"\n\r\nb', "a")], cell=3, row=5)
def test_any_limit_leaves_rows_as_they_were_or_names_them(
    folder: Path, rows: list[tuple[str, str]], cell: int, row: int
) -> None:
    file = folder / "a.csv"
    with file.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    all_, few = (read(file, "dataset.file", COLUMNS, limits) for limits in (Limits(), Limits(1, 1, cell, row)))
    kept = iter(zip(*all_.cells.values(), strict=True))
    assert all(pair in kept for pair in zip(*few.cells.values(), strict=True))  # in this order, and no others
    assert len(few.lines) == len(all_.lines) or few.problems


# Parquet


def parquet(folder: Path, columns: dict[str, Any], **limits: int) -> Rows:
    """Write a table and read it."""
    pq.write_table(pa.table(columns), folder / "a.parquet", compression="zstd")
    return read(folder / "a.parquet", "dataset.file", COLUMNS, Limits(**limits), lists=["label"])


def repeated(text: str, count: int) -> Any:
    """A text that is stored once and comes often."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))


def test_eight_gigabytes_in_a_small_file_are_refused(folder: Path) -> None:
    rows = parquet(folder, {"text": repeated("x" * 1_000_000, 8000), "label": ["a"] * 8000})
    assert (folder / "a.parquet").stat().st_size < 1_000_000
    assert [(p.key, p.value) for p in rows.problems] == [("dataset.limits.table_bytes", 1 << 31)]
    assert problems_of(folder) == ["dataset.limits.table_bytes"]


def problems_of(folder: Path) -> list[str]:
    """What is wrong with the table, as a data set that leaves bad rows out."""
    return list(refused(lambda: load(Table(file=str(folder / "a.parquet"), on_bad="skip"))))


@pytest.mark.parametrize(
    "columns",
    [
        {"text": ["x" * 1000] * 400, "label": ["a"] * 400},
        {"text": repeated("x" * 1000, 400), "label": ["a"] * 400},
        {"text": ["x"], "label": pa.array([["y" * 1000] * 400])},
        {"text": ["x"], "label": pa.array([[None] * 20_000], pa.list_(pa.null()))},
        {"text": ["x"] * 20_000, "label": ["a"] * 20_000},
    ],
)
def test_what_is_counted_is_what_it_would_become(folder: Path, columns: dict[str, Any]) -> None:
    rows = parquet(folder, columns, table_bytes=200_000)
    assert [p.key for p in rows.problems] == ["dataset.limits.table_bytes"]
    assert parquet(folder, columns).problems == []


def test_other_columns_are_not_read(folder: Path) -> None:
    columns = {"text": ["x"] * 8, "label": ["a"] * 8, "other": ["y" * 1_000_000] * 8, "nested": [{"a": [1]}] * 8}
    assert parquet(folder, columns, table_bytes=10_000).cells["text"] == ["x"] * 8


@pytest.mark.parametrize(
    ("value", "message"), [(b"x", "binary"), ([["x"]], "list<"), ({"a": "x"}, "struct<"), (["x"], "list<")]
)
def test_a_column_that_holds_no_cells_is_named(folder: Path, value: Any, message: str) -> None:
    (problem,) = parquet(folder, {"text": [value], "label": ["a"]}).problems
    assert (problem.key, problem.value) == ("dataset.input", "text")
    assert message in problem.message


def test_a_long_cell_and_one_that_is_no_text_are_bad_rows(folder: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 3, pa.array([b"fine", b"\xff\xfe", b"x" * 90]).buffers())
    rows = parquet(folder, {"text": broken, "label": ["a", "b", "c"]}, cell_characters=50)
    assert rows.cells["text"] == ["fine"]
    assert [p.key.rpartition(":")[2] for p in rows.problems] == ["2", "3"]


def test_every_column_that_is_read_is_counted(folder: Path) -> None:
    columns = {name: ["x" * 1000] * 100 for name in "abc"}
    pq.write_table(pa.table(columns), folder / "a.parquet")
    for wanted in (None, dict.fromkeys("abc", "o")):
        (problem,) = read(folder / "a.parquet", "k", wanted, Limits(table_bytes=300_000)).problems
        assert (problem.key, problem.value) == ("dataset.limits.table_bytes", 300_000)
        assert "in its 3 columns" in problem.message
    one = read(folder / "a.parquet", "k", {"b": "o"}, Limits(table_bytes=120_000))
    assert (one.problems, len(one.lines)) == ([], 100)


def test_short_lines_that_lack_very_many_columns_are_counted(folder: Path) -> None:
    (folder / "a.jsonl").write_text(json.dumps({f"c{i}": 1 for i in range(1000)}) + '\n{"c0": 2}' * 1000)
    (problem,) = read(folder / "a.jsonl", "k", None, Limits(table_bytes=1_000_000)).problems
    assert (problem.key, problem.value) == ("dataset.limits.table_bytes", 1_000_000)
    assert "1,000 columns" in problem.message
    assert len(read(folder / "a.jsonl", "k", None).lines) == 1001


@pytest.mark.parametrize(
    "line", [b'{"\\ud800": 1}', b'{"x": "\\ud800"}', b'{"' + b"n" * 101 + b'": 1}', b'{"x": [1, -1e999]}']
)
def test_a_line_with_a_name_or_a_cell_that_is_none_is_a_bad_row_where_all_are_read(folder: Path, line: bytes) -> None:
    (folder / "a.jsonl").write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}')
    rows = read(folder / "a.jsonl", "k", None, Limits(cell_characters=100))
    assert (rows.cells, rows.lines) == ({"a": [1, 2]}, [1, 3])
    assert [p.key for p in rows.problems] == [f"{folder / 'a.jsonl'}:2"]


@given(harm=some.lists(some.tuples(some.integers(0, 10**6), some.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_to_parquet_is_a_named_problem(folder: Path, harm: list[tuple[int, int]]) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": pa.array([["x", "y"], ["z"]])}), folder / "a.parquet")
    content = bytearray((folder / "a.parquet").read_bytes())
    for place, value in harm:
        content[place % len(content)] = value
    for rows in (rows_of(folder / "a.parquet", bytes(content)), read(folder / "a.parquet", "dataset.file", None)):
        assert rows.lines or rows.problems
        assert all(problem.message for problem in rows.problems)
