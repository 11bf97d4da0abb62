"""Databases that others made: damaged, written by another program, with views that never end. Each is a problem."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tlx.config.dataset import Table
from tlx.config.dataset_parts import Limits
from tlx.config.errors import DataError
from tlx.data.sources import sqlite_guard
from tlx.data.sources.rows import Rows, read
from tlx.data.sources.table import load

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def database(file: Path, *statements: str) -> Path:
    """Write a database."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


def problem(rows: Rows) -> str:
    """The only problem, and that nothing was read."""
    (found,) = rows.problems
    assert "\n" not in found.message
    assert not any(rows.cells.values())
    return f"{found.key} {found.message}"


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes ten seconds takes a tenth of one."""
    monkeypatch.setattr(sqlite_guard, "_STEPS", 10_000_000)


# Files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"text,label\nx,a\n", "not readable as SQLite"),
        (b"SQLite format 3\0", "not readable as SQLite"),
        (b"SQLite format 3\0" + b"\0" * 4096, "not readable as SQLite"),
        (b"SQLite format 3\0" + b"\xff" * 4096, "not readable as SQLite"),
    ],
)
def test_what_is_no_database(folder: Path, content: bytes, message: str) -> None:
    (folder / "a.db").write_bytes(content)
    assert message in problem(read(folder / "a.db", "dataset.file", None))
    with pytest.raises(DataError, match=message):
        load(Table(file="a.db", on_bad="skip"))


def test_a_database_without_a_table(folder: Path) -> None:
    file = database(folder / "a.db", "CREATE TABLE t (a)", "DROP TABLE t")
    assert "holds no table" in problem(read(file, "dataset.file", None))
    assert "it has none" in problem(read(file, "dataset.file", None, table="t"))


@pytest.mark.parametrize("beside", ["", "-journal", "-wal"])
def test_nothing_waits_at_a_pipe(folder: Path, beside: str) -> None:
    if beside:
        database(folder / "a.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    os.mkfifo(f"a.db{beside}")
    assert "found a pipe" in problem(read(folder / "a.db", "dataset.file", None))


@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def test_a_database_that_was_closed_is_read_and_left_as_it_is(folder: Path, mode: str) -> None:
    file = database(folder / "a.db", f"PRAGMA journal_mode={mode}", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert read(file, "dataset.file", None).cells == {"a": [1]}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_changes_that_are_only_in_a_log_are_not_passed_over(folder: Path) -> None:
    with closing(sqlite3.connect("a.db", isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode=WAL", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"):
            connection.execute(statement)
        before = sorted(os.listdir())
        assert "has changes in a.db-wal" in problem(read(folder / "a.db", "dataset.file", None))
        assert sorted(os.listdir()) == before
    assert read(folder / "a.db", "dataset.file", None).cells == {"a": [1]}


def test_a_transaction_that_was_cut_off_is_not_read(folder: Path) -> None:
    database(folder / "a.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect("a.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute(f"{ENDLESS} INSERT INTO t SELECT hex(zeroblob(500)) FROM n LIMIT 2000")
        for ending in ("", "-journal"):
            shutil.copy(f"a.db{ending}", f"copy.db{ending}")
        connection.execute("ROLLBACK")
    os.symlink("copy.db", "link.db")
    for name in ("copy.db", "link.db"):
        assert "has changes in copy.db-journal" in problem(read(folder / name, "dataset.file", None))
    assert read(folder / "a.db", "dataset.file", None).cells == {"a": [1]}


def test_a_database_that_is_locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_guard, "_WAIT", 0.1)
    database(folder / "a.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect("a.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert "locked" in problem(read(folder / "a.db", "dataset.file", None))


# Views


@pytest.mark.parametrize(
    "select",
    [
        f"{ENDLESS} SELECT max(i) AS a FROM n",
        f"{ENDLESS} SELECT i AS a FROM n WHERE i < 0",
        f"{ENDLESS} SELECT i AS a FROM n ORDER BY i",
        "SELECT count(*) AS a FROM t, t, t, t, t, t, t, t",
        f"SELECT a FROM t WHERE a = ({ENDLESS} SELECT max(i) FROM n)",
    ],
)
@pytest.mark.usefixtures("few_steps")
def test_a_view_without_an_end_is_stopped(folder: Path, select: str) -> None:
    rows = ", ".join("(1)" for _ in range(100))
    select = select.replace("t, t, t, t, t, t, t, t", ", ".join(f"t AS t{i}" for i in range(8)))
    file = database(folder / "a.db", "CREATE TABLE t (a)", f"INSERT INTO t VALUES {rows}", f"CREATE VIEW v AS {select}")
    began = time.monotonic()
    assert "takes too many steps" in problem(read(file, "dataset.file", None, table="v"))
    assert time.monotonic() - began < 20


def test_a_view_whose_every_row_takes_long_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_guard, "_STEPS", 3_000_000)
    slow = "(WITH RECURSIVE m(j) AS (SELECT n.i UNION ALL SELECT j + 1 FROM m LIMIT 20000) SELECT max(j) FROM m)"
    file = database(folder / "a.db", f"CREATE VIEW v AS {ENDLESS} SELECT i AS a, {slow} AS b FROM n")
    rows = read(file, "dataset.file", None)
    assert [(found.key, found.value) for found in rows.problems] == [("dataset.table", "v")]
    assert 0 < len(rows.lines) < 100
    assert f"after {len(rows.lines)} rows" in rows.problems[0].message


def test_a_view_has_seconds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_guard, "_SECONDS", 0.2)
    file = database(folder / "a.db", f"CREATE VIEW v AS {ENDLESS} SELECT max(i) AS a FROM n")
    began = time.monotonic()
    assert "takes too many steps" in problem(read(file, "dataset.file", None))
    assert time.monotonic() - began < 5


def test_rows_without_an_end_are_counted(folder: Path) -> None:
    file = database(folder / "a.db", f"CREATE VIEW v AS {ENDLESS} SELECT i AS a, 'x' AS b FROM n")
    rows = read(file, "dataset.file", None, Limits(table_bytes=1_000_000))
    assert [(found.key, found.value) for found in rows.problems] == [("dataset.limits.table_bytes", 1_000_000)]
    assert len(rows.lines) == 1_000_000 // 65


def test_long_texts_are_counted_and_one_that_is_too_long_ends_the_reading(folder: Path) -> None:
    long = "hex(zeroblob(1000000))"
    file = database(folder / "a.db", "CREATE TABLE t (a)", f"INSERT INTO t VALUES ({long}), ({long})")
    database(file, "CREATE VIEW v AS SELECT hex(a) AS a FROM t")
    longer = problem(read(file, "dataset.file", None, Limits(row_bytes=3_000_000), table="v"))
    assert longer.startswith("dataset.limits.row_bytes")
    rows = read(file, "dataset.file", None, Limits(table_bytes=3_000_000))
    assert ([p.key for p in rows.problems], len(rows.lines)) == (["dataset.limits.table_bytes"], 1)
    assert problem(read(file, "dataset.file", None, Limits(row_bytes=1000))).startswith("dataset.limits.row_bytes")


def test_a_column_added_with_a_long_default_is_counted(folder: Path) -> None:
    rows = ", ".join("(1)" for _ in range(1000))
    added = f"ALTER TABLE t ADD COLUMN b DEFAULT '{'x' * 10_000}'"
    file = database(folder / "a.db", "CREATE TABLE t (a)", f"INSERT INTO t VALUES {rows}", added)
    (found,) = read(file, "dataset.file", None, Limits(table_bytes=1_000_000)).problems
    assert found.key == "dataset.limits.table_bytes"


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("SELECT instr(a, a) AS a FROM t", "calls instr()"),
        ("SELECT load_extension(a) AS a FROM t", "load_extension"),
        ("SELECT a FROM t WHERE replace(a, a, a) = a", "calls replace()"),
        ("SELECT sql AS a FROM sqlite_master", "reads sqlite_master.sql"),
        ("SELECT value AS a FROM t, json_each('[1]')", "reads json_each.value"),
        ("SELECT a FROM words", "unsafe use of virtual table"),
        ("SELECT b AS a FROM computed", "reads computed.b"),
        ("SELECT a FROM t WHERE a LIKE '" + "%a" * 100 + "'", "not readable as SQLite"),
    ],
)
def test_what_a_view_may_not(folder: Path, select: str, message: str) -> None:
    file = database(
        folder / "a.db",
        "CREATE TABLE t (a)",
        "INSERT INTO t VALUES ('x')",
        "CREATE TABLE computed (a, b AS (instr(a, a)))",
        "CREATE VIRTUAL TABLE words USING fts4(a)",
        f"CREATE VIEW v AS {select}",
    )
    assert message in problem(read(file, "dataset.file", None, table="v"))
    assert "virtual table" in problem(read(file, "dataset.file", None, table="words"))


def test_what_a_view_may(folder: Path) -> None:
    select = "SELECT upper(a) AS a, count(*) AS n, sum(b) OVER () AS b FROM t WHERE a LIKE '%x%' GROUP BY a ORDER BY n"
    rows = "INSERT INTO t VALUES ('x', 1), ('x', 1), ('ax', 2), ('b', 3)"
    file = database(folder / "a.db", "CREATE TABLE t (a, b)", rows, f"CREATE VIEW v AS {select}")
    assert read(file, "k", None, table="v").cells == {"a": ["AX", "X"], "n": [1, 2], "b": [3, 3]}


@pytest.mark.parametrize("select", ["SELECT a FROM {0}", "SELECT a FROM {0} UNION ALL SELECT a FROM {0}"])
@pytest.mark.parametrize("count", [60, 1000, 20_000])
def test_views_within_views(folder: Path, select: str, count: int) -> None:
    with closing(sqlite3.connect("a.db", isolation_level=None)) as connection:
        connection.executescript(
            "BEGIN; CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE VIEW v0 AS SELECT a FROM t"
        )
        connection.execute("PRAGMA writable_schema=ON")  # sqlite3 itself would take very long to make so many
        for i in range(1, count + 1):
            sql = f"CREATE VIEW v{i} AS {select.format(f'v{i - 1}')}"
            connection.execute("INSERT INTO sqlite_master VALUES ('view', ?, ?, 0, ?)", (f"v{i}", f"v{i}", sql))
        connection.execute("COMMIT")
    rows = read(folder / "a.db", "dataset.file", None, table=f"v{count}")
    assert rows.cells == {"a": [1]} or problem(rows)


# Damage


def harmed(content: bytes, chance: random.Random) -> bytes:
    """The content cut off, or with some of its bytes altered; half of them in what describes the tables."""
    if chance.random() < 0.2:
        return content[: chance.randrange(len(content))]
    found = bytearray(content)
    for _ in range(chance.choice((1, 2, 8, 64))):
        found[chance.randrange(chance.choice((100, 1024, len(found))))] = chance.choice(
            (0, 1, 127, 128, 255, *range(256))
        )
    return bytes(found)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("few_steps")
def test_any_damage_is_a_named_problem(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    file = database(
        folder / "whole.db",
        f"PRAGMA page_size={(512, 1024, 4096)[seed]}",
        "CREATE TABLE t (text TEXT, label, n INTEGER PRIMARY KEY)",
        f"{ENDLESS} INSERT INTO t SELECT hex(randomblob(i % 50)), i % 3, i FROM n LIMIT 300",
        "INSERT INTO t VALUES (hex(zeroblob(3000)), 'long', 1000)",
        "CREATE TABLE keyed (k PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO keyed SELECT n, text FROM t",
        "CREATE INDEX i ON t (label)",
        "CREATE VIEW v AS SELECT label, count(*) AS c FROM t GROUP BY label",
    )
    content = file.read_bytes()
    for _ in range(250):
        (folder / "a.db").write_bytes(harmed(content, chance))
        for table in ("t", "keyed", "v", None):
            rows = read(folder / "a.db", "dataset.file", None, Limits(table_bytes=1 << 20), table=table)
            assert rows.lines or rows.problems
            assert all(found.message and "\n" not in found.message for found in rows.problems)
            assert all(len(column) == len(rows.lines) for column in rows.cells.values())
