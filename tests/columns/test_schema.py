"""Schemata: written, read, and refused where they are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.strategies import FINITE, ROLES, WORDS
from tlx.columns import KINDS, Category, Column, Image, Label, Labels, Number, Text
from tlx.columns.reading import META
from tlx.columns.schema import Schema, image
from tlx.config.errors import ConfigError, WeightsError
from tlx.data import schema_file
from tlx.files import foreign
from tlx.runs import layout

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
    name = data.draw(st.sampled_from(["name", "role"] if isinstance(column, Image) else sorted(settings)))
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
    assert image(schema.inputs) == next((one for one in schema.inputs.values() if isinstance(one, Image)), None)
