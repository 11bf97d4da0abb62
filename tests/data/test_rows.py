"""Rows of files: every broken row is named with the line an editor shows, and the good ones come through as written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tlx.data.sources.rows import Rows, read


def rows_of(file: Path, content: bytes | str) -> Rows:
    """Write and read a file."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(file, "dataset.file", "text", "label")


def named(rows: Rows) -> dict[str, str]:
    """The problems by the place they name."""
    return {problem.key: problem.message for problem in rows.problems}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'label,text,other\na,one,1\nb,"two, and more",2\n'),
        ("a.tsv", "label\ttext\na\tone\nb\ttwo, and more\n"),
        ("a.CSV", "text,label\r\none,a\r\n\r\n" + '"two, and more",b\r\n'),
        ("a.jsonl", '{"text": "one", "label": "a"}\n\n{"label": "b", "text": "two, and more"}\n'),
        ("a.ndjson", '{"text": "one", "label": "a"}\n{"label": "b", "text": "two, and more"}'),
    ],
)
def test_each_format(folder: Path, name: str, content: str) -> None:
    rows = rows_of(folder / name, content)
    assert rows.problems == []
    assert rows.inputs == ["one", "two, and more"]
    assert rows.labels == ["a", "b"]
    assert rows.lines == [i + 1 for i, line in enumerate(content.splitlines()) if "one" in line or "two" in line]


def test_lines_after_cells_that_span_lines(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", 'text,label\n"one\n\ntwo",a\nthree,b\n"four\n",a,extra\nfive\nsix,b\n')
    assert rows.inputs == ["one\n\ntwo", "three", "six"]
    assert rows.lines[0] in (2, 3, 4)
    assert rows.lines[1:] == [5, 9]
    first, second = named(rows)
    assert first in (f"{folder / 'a.csv'}:6", f"{folder / 'a.csv'}:7")
    assert second == f"{folder / 'a.csv'}:8"


def test_ragged_rows(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", "text,label\none,a\ntwo\nthree,b,c\nfour,b\n")
    assert named(rows) == {
        f"{folder / 'a.csv'}:3": "has 1 cells, the header has 2",
        f"{folder / 'a.csv'}:4": "has 3 cells, the header has 2",
    }
    assert rows.inputs == ["one", "four"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_byte_that_is_not_utf8_does_not_shift_the_lines_after_it(folder: Path, name: str) -> None:
    if name == "a.csv":
        content = b"text,label\none,a\ncaf\xe9,b\ntwo\nthree,b\n"
    else:
        good = b'{"text": "one", "label": "a"}'
        content = b"\n".join([good, good, b'{"text": "caf\xe9"}', b"{broken", good.replace(b"one", b"three")])
    rows = rows_of(folder / name, content)
    assert set(named(rows)) == {f"{folder / name}:3", f"{folder / name}:4"}
    assert "not UTF-8" in named(rows)[f"{folder / name}:3"]
    assert (rows.inputs[-1], rows.lines[-1]) == ("three", 5)


def test_a_row_with_a_bad_byte_on_its_second_line_is_not_read_without_it(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", b'text,label\nzero,a\n"one\ncaf\xe9\ntwo",b\nthree,b\n')
    assert rows.inputs == ["zero", "three"]


def test_an_open_quote_names_the_line_where_it_opens(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", 'text,label\none,a\n"two,b\n' + "more,a\n" * 20)
    assert list(named(rows)) == [f"{folder / 'a.csv'}:3"]


def test_json_that_is_not_an_object(folder: Path) -> None:
    rows = rows_of(folder / "a.jsonl", '{"text": "one", "label": "a"}\n{"text": "two"\n[1, 2]\n')
    places = named(rows)
    assert list(places) == [f"{folder / 'a.jsonl'}:2", f"{folder / 'a.jsonl'}:3"]
    assert "not readable as JSON" in places[f"{folder / 'a.jsonl'}:2"]
    assert "found list" in places[f"{folder / 'a.jsonl'}:3"]


@pytest.mark.parametrize("header", ["text,label", '"text","label"'])
def test_a_byte_order_mark_before_csv(folder: Path, header: str) -> None:
    rows = rows_of(folder / "a.csv", f"\ufeff{header}\none,a\n")
    assert rows.problems == []
    assert rows.inputs == ["one"]


def test_a_byte_order_mark_before_json(folder: Path) -> None:
    rows = rows_of(folder / "a.jsonl", '\ufeff{"text": "one", "label": "a"}\n')
    assert (rows.problems, rows.inputs) == ([], ["one"])


def test_a_long_text_is_read(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", f"text,label\n{'word ' * 50_000},a\n")
    assert rows.problems == []
    assert len(rows.inputs[0]) == 250_000


def test_whole_floats_are_their_integers(folder: Path) -> None:
    values = [3.0, 3, "3", 2.5, " x "]
    content = "\n".join(json.dumps({"text": "t", "label": value}) for value in values)
    assert rows_of(folder / "a.jsonl", content).labels == ["3", "3", "3", "2.5", "x"]


def test_an_unknown_column_suggests_the_nearest_or_lists_them(folder: Path) -> None:
    close = rows_of(folder / "a.csv", "texts,label\none,a\n").problems
    assert [(p.key, p.value) for p in close] == [("dataset.input", "text")]
    assert "did you mean texts?" in close[0].message
    far = rows_of(folder / "b.csv", "text,klass\none,a\n").problems
    assert [(p.key, p.value) for p in far] == [("dataset.label", "label")]
    assert "it has text, klass" in far[0].message


@pytest.mark.parametrize("content", ["", "text,label\n", "text,label\n\n\n"])
def test_a_file_without_rows(folder: Path, content: str) -> None:
    assert named(rows_of(folder / "a.csv", content)) == {"dataset.file": "holds no rows"}


def test_an_unknown_kind_of_file(folder: Path) -> None:
    assert ".csv" in named(rows_of(folder / "a.xlsx", "text,label\none,a\n"))["dataset.file"]
