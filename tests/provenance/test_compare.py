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
