"""How two configurations differ, a row for each thing that does."""

from __future__ import annotations

import tlx
from tlx.config.identity import identity_fields
from tlx.provenance import compare

BASE = ["backbone=narrow_resnet", "dataset=digits"]


def rows(one: list[str], other: list[str]) -> dict[str, tuple[object, object]]:
    found = compare.settings(identity_fields(tlx.compose([*BASE, *one])), identity_fields(tlx.compose([*BASE, *other])))
    assert all(row.state in (compare.SAME, compare.DIFFERS) for row in found)  # a configuration is complete
    return {row.item: (row.then, row.now) for row in found if row.state != compare.SAME}


def test_the_same_is_one_row() -> None:
    assert [row.state for row in compare.settings({"a": 1}, {"a": 1})] == [compare.SAME]
    assert rows([], []) == {}


def test_settings_that_differ_are_named() -> None:
    assert rows(["seed=1"], ["seed=2", "strategy.clip=0.5"]) == {"seed": (1, 2), "strategy.clip": ("null", 0.5)}


def test_a_phase_more_is_one_row_with_what_it_sets() -> None:
    more = "strategy.phases=[{train: [head], until: 25%}, {train: [all], plateau: {patience: 2}}]"
    found = rows(["strategy.phases=[{train: [head], until: 25%}]"], [more])
    assert list(found) == ["strategy.phases.1"]
    absent, told = found["strategy.phases.1"]
    assert absent == "not there"
    assert "train: ['all']" in str(told)
    assert "plateau.patience: 2" in str(told)


def test_a_part_that_was_null_is_one_row() -> None:
    (row,) = rows([], ["strategy.averaging=ema"]).items()
    assert row[0] == "strategy.averaging"
    assert row[1][0] == "null"
    assert str(row[1][1]).startswith("kind: ema")


def record(**sections: dict[str, object]) -> dict[str, object]:
    return {name: sections.get(name, {}) for name in compare.SECTIONS}


def cause(then: dict[str, object], now: dict[str, object]) -> str:
    return str(compare.likely_cause(compare.surroundings(then, now)))


def test_what_differs_comes_before_what_is_not_known() -> None:
    then = record(code={"project": {"commit": "a"}}, flags={"threads": 1}, packages={"numpy": "1"})
    now = record(code={"project": {}}, flags={"threads": 2}, packages={"numpy": "2"})
    assert cause(then, now) == "flags: threads  1 -> 2"
    assert cause(then, {**now, "flags": {"threads": 1}}) == "packages: numpy  1 -> 2"
    assert cause(then, {**now, "flags": {"threads": 1}, "packages": {"numpy": "1"}}).startswith("code: project.commit")
    assert compare.likely_cause(compare.surroundings(then, then)) is None


def test_causes_come_in_the_order_of_their_likelihood() -> None:
    parts = {
        "code": ({"tlx": {"commit": "a"}}, {"tlx": {"commit": "b"}}),
        "data": ({"data": "a"}, {"data": "b"}),
        "weights": ({"weights": "a"}, {"weights": "b"}),
        "flags": ({"threads": 1}, {"threads": 2}),
        "variables": ({}, {"DNNL_MAX_CPU_ISA": "SSE41"}),
        "software": ({"torch": "1"}, {"torch": "2"}),
        "hardware": ({"cpu": "a"}, {"cpu": "b"}),
        "packages": ({"numpy": "1"}, {}),
    }
    left = dict(parts)
    for section in parts:
        then, now = ({name: pair[i] for name, pair in left.items()} for i in (0, 1))
        then, now = ({**record(), "code": {"project": {"commit": i}}, **one} for i, one in enumerate((then, now)))
        assert cause(then, now).startswith(f"{section}: ")
        del left[section]
    then, now = (record(code={"project": {"commit": commit}}) for commit in "ab")
    assert cause(then, now) == "code: project.commit  a -> b"


def test_what_a_complete_section_lacks_was_not_there() -> None:
    then, now = record(packages={"a": "1"}), record(variables={"MKL_CBWR": "AVX"})
    told = [str(row) for row in compare.surroundings(then, now) if row.state == compare.DIFFERS]
    assert told == ["variables: MKL_CBWR  not set -> AVX", "packages: a  1 -> not installed"]


def test_secrets_are_not_shown() -> None:
    row = compare.Row("variables", "MKL_X", "https://a:secret@b", "https://a:hidden@b")
    assert "secret" not in f"{row} {row.change}"
    assert "hidden" not in f"{row} {row.change}"
