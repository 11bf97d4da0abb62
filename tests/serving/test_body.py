"""Bodies in the formats of MLflow's scoring server: read, or refused before a parser can be hurt."""

from __future__ import annotations

import csv
import io
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tlx.serving import body
from tlx.serving.inputs import InvalidInput
from tlx.serving.limits import Limits

LIMITS = Limits()
TREES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


def rows(content: bytes | str, media: str, names: list[str], limits: Limits = LIMITS) -> list[dict[str, Any]]:
    return body.rows(content.encode() if isinstance(content, str) else content, media, names, limits)


def read(content: bytes | str, media: str = body.JSON, limits: Limits = LIMITS) -> list[Any]:
    """The values of the one column."""
    found = rows(content, media, ["text"], limits)
    assert all(list(row) == ["text"] for row in found)
    return [row["text"] for row in found]


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_records": [{"text": "a"}, {"text": "b"}]},
        {"dataframe_split": {"columns": ["text"], "data": [["a"], ["b"]]}},
        {"dataframe_split": {"columns": ["text"], "data": [["a"], ["b"]], "index": [0, 1]}},
        {"instances": ["a", "b"]},
        {"instances": [{"text": "a"}, {"text": "b"}]},
        {"inputs": ["a", "b"]},
        {"inputs": {"text": ["a", "b"]}},
        {"inputs": [{"text": "a"}, {"text": "b"}], "params": {}},
    ],
)
def test_every_format_is_read(request_: dict[str, Any]) -> None:
    assert read(json.dumps(request_)) == ["a", "b"]


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_records": [{"age": 3, "word": "a"}, {"word": "b", "age": 4}]},
        {"dataframe_split": {"columns": ["word", "age"], "data": [["a", 3], ["b", 4]]}},
        {"instances": [{"age": 3, "word": "a"}, {"age": 4, "word": "b"}]},
        {"inputs": {"age": [3, 4], "word": ["a", "b"]}},
    ],
)
def test_several_columns_are_read(request_: dict[str, Any]) -> None:
    assert rows(json.dumps(request_), body.JSON, ["age", "word"]) == [{"age": 3, "word": "a"}, {"age": 4, "word": "b"}]


def test_one_row_of_columns_is_read() -> None:
    assert rows('{"inputs": {"age": 3, "word": "a"}}', body.JSON, ["age", "word"]) == [{"age": 3, "word": "a"}]
    assert rows("word,age\na,3\n", body.CSV, ["age", "word"]) == [{"age": "3", "word": "a"}]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"instances": [3]}, "row 0: expected an object with 'age', 'word', found a number"),
        ({"inputs": {"age": [3], "word": ["a", "b"]}}, "as many values in each column"),
        ({"inputs": {"age": 3, "word": ["a"]}}, "inputs: age: expected a list, found a number"),
        ({"dataframe_records": [{"age": 3}]}, "row 0: expected the columns 'age', 'word', found 'age'"),
        ({"dataframe_split": {"columns": [["age"], "word"], "data": []}}, "expected names, found a list of 1"),
        ({"dataframe_split": {"columns": ["word", "age"], "data": [["a"]]}}, "row 0: expected a list of 2 values"),
    ],
)
def test_columns_that_do_not_fit_are_refused(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        rows(json.dumps(request_), body.JSON, ["age", "word"])


def test_csv_is_read() -> None:
    assert read('text\na\n"b, ""c"""\n', body.CSV) == ["a", 'b, "c"']
    assert read(b"\xef\xbb\xbftext\r\na\r\n", body.CSV) == ["a"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[" * 200_000, "nested more than 16 deep"),
        ('{"a":' * 200_000, "nested more than 16 deep"),
        ('{"instances": [' + "[]," * 400_000 + "[]]}", "more than 1,000,000 values"),
        ("9" * 5000, "not JSON: Exceeds the limit"),
        ('{"inputs": {"text": "a", "text": "b"}}', "there twice: 'text'"),
        ('{"dataframe_split": {"columns": ["text", "text"], "data": [["a", "b"]]}}', "found 'text', 'text'"),
        ('{"dataframe_records": [{"text": "a"}, {"words": "a"}]}', "row 1: expected one column 'text', found 'words'"),
        ('{"dataframe_records": [{"text": "a", "x": 1}]}', "row 0: expected one column 'text', found 'text', 'x'"),
        ('{"dataframe_records": {"text": "a"}}', "expected a list, found an object of 1"),
        ('{"dataframe_split": {"columns": ["text"], "data": [["a"], []]}}', "row 1: expected a list of one value"),
        ('{"dataframe_split": {"columns": ["text"], "data": [], "index": [1]}}', "1 entries for 0 rows"),
        ('{"dataframe_split": [1]}', "expected an object with columns and data, found a list of 1"),
        ('{"instances": ["a"], "inputs": ["a"]}', "expected one of dataframe_records"),
        ('{"instances": ["a"], "signature_name": "x"}', "and nothing else"),
        ('{"instances": ["a"], "params": {"x": 1}}', "takes no params"),
        ('["a"]', "expected a JSON object"),
        ("", "not JSON"),
        ('{"instances": ["\ud800"]}'.encode("utf-8", "surrogatepass"), "not UTF-8 at byte 16"),
        ('{"instances": ["a"]}'.encode("utf-16"), "zero byte"),
    ],
)
def test_what_is_no_request_is_refused(content: bytes | str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("text,text\na,b\n", "found 'text', 'text'"),
        ("words\na\n", "found 'words'"),
        ("text\na,b\n", "row 0: expected a list of one value, found a list of 2"),
        ('text\n"a', "not CSV"),
        ("," * 3_000_000, "more than 1,000,000"),
        ('a",' + "," * 3_000_000, "more than 1,000,000"),
        ('"a"",' + "," * 3_000_000, "not CSV"),
    ],
)
def test_what_is_no_csv_is_refused(content: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read(content, body.CSV)


def test_a_long_cell_is_read_and_the_limit_of_others_stays() -> None:
    before = csv.field_size_limit()
    assert len(read("text\n" + "a" * 1_000_000, body.CSV)[0]) == 1_000_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("text", ['"' + "\\" * 8_000_001, '"' + '\\"' * 4_000_000, '"' * 8_000_000])
def test_the_look_before_parsing_takes_time_in_proportion(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InvalidInput):
        read(text)
    assert time.perf_counter() - start < 10


@given(TREES)
def test_any_json_is_read_or_refused(tree: Any) -> None:
    for content in (
        tree,
        {"dataframe_records": tree},
        {"dataframe_split": tree},
        {"instances": tree},
        {"inputs": tree},
    ):
        with suppress(InvalidInput):
            assert isinstance(read(json.dumps(content)), list)


@given(some.binary(max_size=60), some.sampled_from([body.JSON, body.CSV]))
def test_any_bytes_are_read_or_refused(content: bytes, media: str) -> None:
    with suppress(InvalidInput):
        assert isinstance(read(content, media), list)


@given(some.lists(some.text(some.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)))
def test_what_was_written_is_read(texts: list[str]) -> None:
    assert read(json.dumps({"instances": texts})) == texts
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in texts)])
    assert read(stream.getvalue(), body.CSV) == texts


@pytest.mark.parametrize(
    ("kind", "media"),
    [
        ("application/json", body.JSON),
        ("Application/JSON; charset=UTF-8", body.JSON),
        ('text/csv; charset="utf-8"', body.CSV),
        ("application/vnd.apache.parquet", None),
        ("application/json; charset=utf-16", None),
        ("application/json; boundary=x", None),
        ("", None),
        (None, None),
    ],
)
def test_types_of_content(kind: str | None, media: str | None) -> None:
    if media is not None:
        assert body.kind(kind) == media
        return
    with pytest.raises(body.Unsupported):
        body.kind(kind)
