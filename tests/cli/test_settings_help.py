"""``tlx help <setting>``: every setting says what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from tlx.components.groups import kinds
from tlx.config.fields import HELP, Range

Said = Callable[..., str]


@pytest.mark.parametrize("kind", sorted(kinds(), key=str))
def test_every_setting_says_what_it_is_for(kind: type) -> None:
    silent = [one.name for one in fields(kind) if HELP not in one.metadata]
    assert set(silent) <= {"kind", "modality"}


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("strategy.budget", ["the whole run", 'default: "10 epochs"']),
        ("strategy.lr", ["a number, a number above zero", "default: 0.001"]),
        ("strategy.phases.0.until", ["'25%' of the budget"]),
        ("strategy.optimizer", [".weight_decay"]),
        ("hardware.distributed", ["one of ddp, fsdp", "two that differ only here are the same"]),
        ("dataset.root", ["the folder", "has to be given"]),
        ("backbone.pooling", ["one of auto, mean, first, last"]),
        ("hardware", ["where it runs", ".precision"]),
        ("sweep.max_trials", ["default: 10000"]),
        ("sweep", ["tlx sweep [overrides]"]),
    ],
)
def test_a_setting_is_explained(key: str, told: list[str], said: Said) -> None:
    found = said("help", key)
    for text in told:
        assert text in found


@pytest.mark.parametrize(
    ("key", "meant"), [("strategy.bugdet", "strategy.budget"), ("weight_decay", "weight_decay"), ("nothing", "")]
)
def test_what_is_no_setting_is_answered(key: str, meant: str, said: Said) -> None:
    found = said("help", key, code=2)
    assert f"did you mean {meant}?" in found if meant else "tlx help strategy" in found


@pytest.mark.parametrize(
    ("allowed", "text", "inside", "outside"),
    [
        (Range(above=0), "a number above zero", [1e-9, 5], [0, -1, float("nan")]),
        (Range(least=0), "zero or more", [0, 3], [-1e-9]),
        (Range(least=1), "1 or more", [1], [0.5]),
        (Range(least=0, below=1), "0 to below 1", [0, 0.5], [1, -0.1]),
        (Range(above=0, below=1), "above 0 to below 1", [0.5], [0, 1]),
        (Range(least=0, most=100), "0 to 100", [0, 100], [101]),
        (Range(most=3), "at most 3", [3, -5], [4]),
    ],
)
def test_a_range_says_which_numbers_it_holds(
    allowed: Range, text: str, inside: list[float], outside: list[float]
) -> None:
    assert str(allowed) == text
    assert all(allowed.holds(value) for value in inside)
    assert not any(allowed.holds(value) for value in outside)
