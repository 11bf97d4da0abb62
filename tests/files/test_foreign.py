"""Files of others: read within limits, or refused with a reason; never anything else."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from tlx.files import foreign
from tlx.files.foreign import Unreadable, conforms

leaves = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=8))
trees = some.recursive(
    leaves,
    lambda inner: some.one_of(
        some.lists(inner, max_size=4), some.dictionaries(some.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def laughs(levels: int, width: int) -> str:
    """A document of a few hundred bytes that stands for width ** levels words."""
    lines = [f"a0: &a0 [{', '.join(['lol'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


@given(trees)
def test_what_json_and_yaml_write_is_read_as_it_was(tree: object) -> None:
    text = json.dumps(tree)
    assert json.dumps(foreign.json_value(text)) == text
    plain = yaml.safe_dump(tree)
    assert repr(foreign.yaml_value(plain)) == repr(yaml.safe_load(plain))


@given(some.one_of(some.text(max_size=200), some.binary(max_size=200).map(lambda raw: raw.decode("latin1"))))
def test_any_text_is_read_or_refused(text: str) -> None:
    for reader in (foreign.json_value, foreign.yaml_value):
        reason = "read"
        try:
            reader(text)
        except Unreadable as refused:
            reason = str(refused)
        assert reason
        assert "\n" not in reason


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}"), ("[[],", "]"), ('[{"b":', "}]")])
@pytest.mark.parametrize("depth", [65, 1_000, 200_000])
def test_depth_is_limited(opens: str, closes: str, depth: int) -> None:
    text = opens * depth + "1" + closes * depth
    for reader in (foreign.json_value, foreign.yaml_value):
        with pytest.raises(Unreadable):
            reader(text)
    shallow = opens * 30 + "1" + closes * 30
    assert foreign.json_value(shallow) == foreign.yaml_value(shallow)


@given(some.integers(2, 12), some.integers(2, 12))
def test_aliases_count_as_what_they_stand_for(levels: int, width: int) -> None:
    text = laughs(levels, width)
    whole = sum(width**n for n in range(1, levels + 1))
    if whole > 2 * foreign.LONGEST:
        with pytest.raises(Unreadable, match="aliases written out"):
            foreign.yaml_value(text)
    elif whole < foreign.LONGEST // 4:
        assert foreign.yaml_value(text) == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["&a [*a]", "a: &x {b: *x}", "&a {b: [1, *a]}"])
def test_an_alias_within_itself_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="within itself"):
        foreign.yaml_value(text)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system [id]", "2020-13-45", "1" * 5000, "a: !!binary é", "a: b: c", "\x00", "@"]
)
def test_what_the_safe_loader_refuses_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        foreign.yaml_value(text)


def test_only_regular_files_of_some_size_are_read(folder: Path) -> None:
    (folder / "file").write_bytes(b"x" * 100)
    (folder / "link").symlink_to("file")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    assert foreign.read(folder / "file", 100) == b"x" * 100
    for name, reason in {"link": "symbolic link", "folder": "not a regular file", "pipe": "not a regular"}.items():
        with pytest.raises(Unreadable, match=reason):
            foreign.read(folder / name)
    with pytest.raises(Unreadable, match="at most 99 are read"):
        foreign.read(folder / "file", 99)
    with pytest.raises(Unreadable):
        foreign.read(Path("/dev/zero"))
    with pytest.raises(Unreadable):
        foreign.read(folder / "a\x00b")
    for path in (folder / "none", folder / "file" / "below"):
        with pytest.raises(FileNotFoundError):
            foreign.read(path)


@dataclass
class Row:
    """A dataclass as records are."""

    name: str
    step: int
    values: dict[str, float | None]
    kind: Literal["a", "b"] = "a"
    names: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"name": "x", "step": 1, "values": {"a": 1, "b": None, "c": float("nan")}}, True),
        ({"name": "x", "step": 1, "values": {}, "kind": "b", "names": ["y"]}, True),
        ({"name": "x", "step": True, "values": {}}, False),
        ({"name": "x", "step": 1.0, "values": {}}, False),
        ({"name": "x", "step": 1, "values": {"a": "1"}}, False),
        ({"name": "x", "step": 1, "values": []}, False),
        ({"name": "x", "step": 1, "values": {}, "kind": "c"}, False),
        ({"name": "x", "step": 1, "values": {}, "other": 1}, False),
        ({"name": "x", "step": 1}, False),
        ({"name": "x", "step": 10**30, "values": {}}, False),
        ({"name": "x", "step": 1, "values": {"a": 10**400}}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_value_conforms_to_a_dataclass(value: Any, fits: bool) -> None:
    assert conforms(value, Row) is fits


@given(trees)
def test_any_value_is_judged(tree: object) -> None:
    assert conforms(tree, Any)
    if conforms(tree, Row):
        assert isinstance(tree, dict)
        Row(**tree)
