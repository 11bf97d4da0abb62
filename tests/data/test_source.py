"""Sources: examples whose columns learn of train alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.strategies import FEW, FINITE, chosen, sorted_as_classes
from tlx.columns import Category, Column, Image, Label, Number, Text
from tlx.config.errors import DataError
from tlx.data import schema_file
from tlx.data.source import Source
from tlx.files import foreign


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
        {**Image("a").settings(), "channels": 4097},
        {**Image("a").settings(), "channels": -1},
    ):
        with pytest.raises(foreign.Unreadable, match="expected at most"):
            schema_file.parsed(json.loads(json.dumps([column])), {})
