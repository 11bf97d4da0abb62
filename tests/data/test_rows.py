"""Columns of files: a broken row is named with the line an editor shows, and the good ones come through as written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tlx.config.dataset_parts import Limits
from tlx.data.sources.rows import Rows, read, word

COLUMNS = {"text": "dataset.input", "label": "dataset.label"}


def rows_of(file: Path, content: bytes | str) -> Rows:
    """Write and read a file."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(file, "dataset.file", COLUMNS)


def all_of(file: Path, content: bytes | str, **limits: int) -> Rows:
    """Write a file and read every column."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(file, "dataset.file", None, Limits(**limits))


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
    assert rows.cells["text"] == ["one", "two, and more"]
    assert rows.cells["label"] == ["a", "b"]
    assert rows.lines == [i + 1 for i, line in enumerate(content.splitlines()) if "one" in line or "two" in line]


def test_lines_after_cells_that_span_lines(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", 'text,label\n"one\n\ntwo",a\nthree,b\n"four\n",a,extra\nfive\nsix,b\n')
    assert rows.cells["text"] == ["one\n\ntwo", "three", "six"]
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
    assert rows.cells["text"] == ["one", "four"]


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
    assert (rows.cells["text"][-1], rows.lines[-1]) == ("three", 5)


def test_a_row_with_a_bad_byte_on_its_second_line_is_not_read_without_it(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", b'text,label\nzero,a\n"one\ncaf\xe9\ntwo",b\nthree,b\n')
    assert rows.cells["text"] == ["zero", "three"]


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
    assert rows.cells["text"] == ["one"]


def test_a_byte_order_mark_before_json(folder: Path) -> None:
    rows = rows_of(folder / "a.jsonl", '\ufeff{"text": "one", "label": "a"}\n')
    assert (rows.problems, rows.cells["text"]) == ([], ["one"])


def test_a_long_text_is_read(folder: Path) -> None:
    rows = rows_of(folder / "a.csv", f"text,label\n{'word ' * 50_000},a\n")
    assert rows.problems == []
    assert len(rows.cells["text"][0]) == 250_000


def test_whole_floats_are_their_integers(folder: Path) -> None:
    values = [3.0, 3, "3", 2.5, " x "]
    content = "\n".join(json.dumps({"text": "t", "label": value}) for value in values)
    cells = rows_of(folder / "a.jsonl", content).cells["label"]
    assert cells == values
    assert [word(cell) for cell in cells] == ["3", "3", "3", "2.5", "x"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, None),
        (float("nan"), None),
        (True, "True"),
        (10**400, "1" + "0" * 400),
        (float("inf"), "inf"),
        (-0.0, "0"),
        ("", ""),
    ],
)
def test_words_of_cells(cell: object, expected: str | None) -> None:
    assert word(cell) == expected


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


def test_every_column_in_the_order_of_the_file(folder: Path) -> None:
    rows = all_of(folder / "a.csv", "b, a ,\n1,2,3\n4,,5\n")
    assert list(rows.cells.items()) == [("b", ["1", "4"]), ("a", ["2", ""]), ("", ["3", "5"])]
    rows = all_of(folder / "a.jsonl", '{"b": 1}\n{"a": [1, "x"], "b": null}\n{"c": true, "a": 1.5}')
    assert list(rows.cells.items()) == [
        ("b", [1, None, None]),
        ("a", [None, [1, "x"], 1.5]),
        ("c", [None, None, True]),
    ]
    assert (rows.lines, rows.problems, rows.left_out) == ([1, 2, 3], [], [])


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200])
def test_a_key_that_comes_late_is_a_column_from_the_first_row_on(folder: Path, rows: int) -> None:
    content = '{"a": 1}\n' * rows + '{"b": 2}\n'
    assert all_of(folder / "a.jsonl", content).cells == {"a": [1] * rows + [None], "b": [None] * rows + [2]}


def test_any_number_of_columns_in_the_order_they_are_asked_for(folder: Path) -> None:
    (folder / "a.csv").write_text("a,b,c,d\n1,2,3,4\n")
    rows = read(folder / "a.csv", "k", {name: f"dataset.{name}" for name in "dba"})
    assert list(rows.cells.items()) == [("d", ["4"]), ("b", ["2"]), ("a", ["1"])]
    assert read(folder / "a.csv", "k", {"c": "dataset.label"}).cells == {"c": ["3"]}
    with pytest.raises(ValueError, match="no column"):
        read(folder / "a.csv", "k", {})


def test_every_missing_column_is_named_by_its_option(folder: Path) -> None:
    (folder / "a.csv").write_text("number,text\n1,2\n")
    rows = read(folder / "a.csv", "k", {"texd": "dataset.input", "text": "o", "numbr": "dataset.features.0"})
    assert [(p.key, p.value) for p in rows.problems] == [("dataset.input", "texd"), ("dataset.features.0", "numbr")]
    assert "did you mean number?" in rows.problems[1].message
    assert (rows.cells, rows.lines) == ({"texd": [], "text": [], "numbr": []}, [])
    many = read(folder / "a.csv", "k", {f"x{i}": "o" for i in range(50)}).problems
    assert len(many) == 21
    assert "30 more columns" in many[-1].message


def test_of_two_columns_of_one_name_the_last_is_read_where_it_is_named(folder: Path) -> None:
    content = "text,label,text\none,a,two\n"
    assert rows_of(folder / "a.csv", content).cells == {"text": ["two"], "label": ["a"]}
    (problem,) = all_of(folder / "a.csv", content).problems
    assert problem.key == str(folder / "a.csv")
    assert "2 columns of the name 'text'" in problem.message


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_more_than_a_thousand_columns_are_read_where_they_are_named(folder: Path, suffix: str) -> None:
    names = [f"c{i}" for i in range(1001)]
    lines = {"csv": [",".join(names), ",".join(names)], "jsonl": [json.dumps({name: name}) for name in names]}[suffix]
    (problem,) = all_of(folder / f"a.{suffix}", "\n".join(lines)).problems
    assert "more than 1,000 columns" in problem.message
    rows = read(folder / f"a.{suffix}", "k", dict.fromkeys(names, "o"))
    assert rows.problems == []
    assert all("".join(filter(None, rows.cells[name])) == name for name in names)


def test_nan_in_json_is_a_cell_that_is_not_there(folder: Path) -> None:
    assert all_of(folder / "a.jsonl", '{"a": NaN, "b": 1.5}\n{"a": 2, "b": NaN}').cells == {
        "a": [None, 2],
        "b": [1.5, None],
    }
