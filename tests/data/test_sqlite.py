"""SQLite: what a table or view holds comes through as sqlite3 itself gives it; whatever keeps it from that is named."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.data.conftest import inputs, load, words
from tlx.config.dataset import Table
from tlx.config.dataset_parts import Limits
from tlx.data.sources.rows import Rows, read


def database(file: Path, *statements: str, rows: Sequence[tuple[Any, ...]] = ()) -> Path:
    """Write a database; rows go to the table ``t``."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("BEGIN")
        for row in rows:
            connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("COMMIT")
    return file


def problems(rows: Rows) -> list[tuple[str, object]]:
    """Where the problems are."""
    return [(problem.key, problem.value) for problem in rows.problems]


@pytest.mark.parametrize("suffix", ["sqlite", "sqlite3", "db", "DB"])
def test_a_data_set(folder: Path, suffix: str) -> None:
    rows = [("one", "a"), ("two", 3), ("three", 3.0), (4, "NA")]
    file = database(folder / f"a.{suffix}", "CREATE TABLE t (text, label)", rows=rows)
    source = load(Table(file=str(file)))
    assert list(inputs(source)) == ["one", "two", "three", "4"]
    assert words(source) == ["a", "3", "3", "NA"]
    assert source.origin(2) == f"{file}:3"


def test_cells_are_as_the_file_gives_them(folder: Path) -> None:
    values = [None, 0, -(1 << 63), (1 << 63) - 1, 1.5, float("inf"), "", "é\U0001f600", "a\0b", "NA", " x "]
    file = database(folder / "a.db", "CREATE TABLE t (a, b)", rows=[(value, i) for i, value in enumerate(values)])
    rows = read(file, "dataset.file", None)
    assert rows.cells == {"a": values, "b": list(range(len(values)))}
    assert [type(value) for value in rows.cells["a"]] == [type(value) for value in values]
    assert (rows.lines, rows.problems, rows.left_out) == (list(range(1, len(values) + 1)), [], [])


def test_pandas_agrees(folder: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, None, 3.0], "y": ["a", "b", None], "z": [1, 2, 3]})
    with closing(sqlite3.connect("a.db")) as connection:
        frame.to_sql("frame", connection, index=False)
        back = pd.read_sql("SELECT * FROM frame", connection)
    found = pd.DataFrame(read(folder / "a.db", "dataset.file", None).cells)
    pd.testing.assert_frame_equal(*(one.astype(object).fillna("-") for one in (found, back)))


names = some.text(some.characters(codec="utf-8", exclude_characters='\0\r\n"'), min_size=1, max_size=6).filter(
    lambda name: name == name.strip() and not name.startswith("\ufeff")
)
texts = some.text(some.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=8)
numbers = some.one_of(some.integers(-(1 << 63), (1 << 63) - 1), some.floats(allow_nan=False, allow_infinity=False))
cells = some.one_of(some.none(), texts, numbers)


@some.composite
def tables(draw: some.DrawFn) -> tuple[list[str], list[list[Any]], list[str]]:
    """Names that differ by more than case, rows, and some of the names in any order."""
    header = draw(some.lists(names, min_size=1, max_size=5, unique_by=lambda name: name.lower()))
    rows = draw(some.lists(some.lists(cells, min_size=len(header), max_size=len(header)), min_size=1, max_size=6))
    return header, rows, draw(some.lists(some.sampled_from(header), min_size=1, unique=True))


@given(tables())
def test_a_random_table_comes_back_from_each_format(
    folder: Path, table: tuple[list[str], list[list[Any]], list[str]]
) -> None:
    header, rows, wanted = table
    columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    as_text = {name: ["" if cell is None else str(cell) for cell in column] for name, column in columns.items()}
    (folder / "a.db").unlink(missing_ok=True)
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in header)
    database(folder / "a.db", f"CREATE TABLE t ({quoted})", rows=[tuple(row) for row in rows])
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([header, *zip(*as_text.values(), strict=True)])
    lines = [json.dumps(dict(zip(header, row, strict=True))) for row in rows]
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    pq.write_table(pa.table({name: pa.array(column, pa.string()) for name, column in as_text.items()}), "a.parquet")
    asked = dict.fromkeys(wanted, "dataset.input")
    for suffix, written in {"db": columns, "csv": as_text, "jsonl": columns, "parquet": as_text}.items():
        every = read(folder / f"a.{suffix}", "dataset.file", None)
        assert (list(every.cells.items()), every.problems) == (list(written.items()), [])
        few = read(folder / f"a.{suffix}", "dataset.file", asked)
        assert list(few.cells.items()) == [(name, written[name]) for name in wanted]
        assert few.lines == every.lines


def test_rows_come_in_the_order_of_their_numbers(folder: Path) -> None:
    file = database(
        folder / "a.db",
        "CREATE TABLE t (a, rowid)",
        "CREATE INDEX i ON t (a)",
        "CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO keyed VALUES ('z', 1), ('b', 2), ('m', 3)",
        "CREATE VIEW v AS SELECT a FROM t ORDER BY a DESC",
        rows=[(value, value) for value in (3, 1, 2)],
    )
    assert read(file, "k", {"a": "o"}, table="t").cells == {"a": [3, 1, 2]}
    assert read(file, "k", {"rowid": "o"}, table="t").cells == {"rowid": [3, 1, 2]}
    assert read(file, "k", None, table="keyed").cells == {"k": ["b", "m", "z"], "v": [2, 3, 1]}
    assert read(file, "k", None, table="v").cells == {"a": [3, 2, 1]}


def test_which_table(folder: Path) -> None:
    file = database(folder / "one.db", "CREATE TABLE t (a)", "CREATE VIEW v AS SELECT a FROM t", rows=[(1,)])
    assert read(file, "dataset.file", None).cells == {"a": [1]}
    database(file, "CREATE TABLE other (b)")
    (problem,) = read(file, "dataset.file", None).problems
    assert problem.key == "dataset.table"
    assert "2 tables; name one of t, other, v" in problem.message
    (problem,) = read(file, "dataset.file", None, table="othr").problems
    assert (problem.key, problem.value) == ("dataset.table", "othr")
    assert "did you mean other?" in problem.message
    assert problems(read(file, "dataset.file", None, table="T")) == [("dataset.table", "T")]
    assert problems(read(file, "dataset.file", None, table="sqlite_master")) == [("dataset.table", "sqlite_master")]
    assert problems(read(file, "dataset.file", None, table="other")) == [("dataset.file", str(file))]
    view = database(folder / "view.db", "CREATE VIEW v AS SELECT 1 AS a")
    assert read(view, "dataset.file", None).cells == {"a": [1]}


@pytest.mark.parametrize("name", ['"', "a b", "a;--", "select", "a' OR 1", "é", "]", "`", "r", 'x" FROM t; --'])
def test_any_name_of_a_table_and_a_column(folder: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    file = database(folder / "a.db", f"CREATE TABLE {quoted} ({quoted})", f"INSERT INTO {quoted} VALUES (1)")
    assert read(file, "k", {name: "o"}, table=name).cells == {name: [1]}


@pytest.mark.parametrize("name", ["A", "rowid", "1", "a, b", "x"])
def test_a_column_that_is_not_there_is_no_text(folder: Path, name: str) -> None:
    file = database(folder / "a.db", "CREATE TABLE t (a, b)", rows=[(1, 2)])
    assert problems(read(file, "dataset.file", {name: "dataset.label"})) == [("dataset.label", name)]


@pytest.mark.parametrize("name", ["a b?mode=rw#%41.db", "é&immutable=1.db", "%.db", "\udcff.db", "a//b.db"])
def test_any_name_of_a_file(folder: Path, name: str) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    database(folder / "plain", "CREATE TABLE t (a)", rows=[(1,)]).rename(file)
    assert read(file, "k", None).cells == {"a": [1]}
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_bytes_and_what_is_not_utf8_are_bad_rows(folder: Path) -> None:
    insert = "INSERT INTO t VALUES ('a', 1), (x'00ff', 2), (CAST(x'ff' AS TEXT), 3), (NULL, 4), ('xxxxxx', 5)"
    file = database(folder / "a.db", "CREATE TABLE t (a, b)", insert)
    rows = read(file, "k", None, Limits(cell_characters=5))
    assert (rows.cells, rows.lines) == ({"a": ["a", None], "b": [1, 4]}, [1, 4])
    assert {problem.key: problem.message for problem in rows.problems} == {
        f"{file}:2": "holds bytes, expected text or a number",
        f"{file}:3": "holds a text that is not UTF-8",
        f"{file}:5": "has a cell of more than 5 characters; raise dataset.limits.cell_characters to read it",
    }
    assert read(file, "k", {"b": "o"}).lines == [1, 2, 3, 4, 5]
    assert "dataset.limits.row_bytes" in read(file, "k", None, Limits(row_bytes=5)).problems[-1].message


def test_utf16(folder: Path) -> None:
    file = database(folder / "a.db", "PRAGMA encoding = 'UTF-16'", "CREATE TABLE t (é)", rows=[("\U0001f600",)])
    assert read(file, "k", None).cells == {"é": ["\U0001f600"]}


def test_a_column_that_the_file_computes_is_left_out(folder: Path) -> None:
    columns = "a, b AS (instr(a, a)), c AS (a || '!') STORED"
    file = database(folder / "a.db", f"CREATE TABLE t ({columns})", "INSERT INTO t (a) VALUES ('x')")
    rows = read(file, "k", None)
    assert (rows.cells, rows.left_out, rows.problems) == ({"a": ["x"], "c": ["x!"]}, ["b (computed)"], [])
    assert problems(read(file, "k", {"b": "dataset.label"})) == [("dataset.label", "b")]
