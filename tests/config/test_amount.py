"""Lengths of training as people write them: what is read, how long it is in steps, and what is refused."""

from __future__ import annotations

import pytest

from tlx.config.amount import Amount


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("3 epochs", 3, "epochs"),
        ("1 epoch", 1, "epochs"),
        ("2.5 epochs", 2.5, "epochs"),
        ("500 steps", 500, "steps"),
        ("1 step", 1, "steps"),
        ("25%", 25, "%"),
        ("12.5 %", 12.5, "%"),
        ("  7   steps ", 7, "steps"),
        ("7steps", 7, "steps"),
        ("rest", 0, "rest"),
        (" rest ", 0, "rest"),
    ],
)
def test_it_reads_a_number_and_its_unit(text: str, value: float, unit: str) -> None:
    amount = Amount.parse(text)
    assert (amount.value, amount.unit) == (value, unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "epochs",
        "%",
        "three epochs",
        "-1 epochs",
        "3 epochs 2 steps",
        "3 hours",
        "rest 3",
        "1e2 steps",
        "3,5 epochs",
        ".5 epochs",
        "nan steps",
        "inf steps",
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"3 epochs.*500 steps.*25%.*rest") as caught:
        Amount.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("500 steps", 500),
        ("3 epochs", 3 * 44),
        ("0.5 epochs", 22),
        ("0 steps", 0),
        ("25%", 250),
        ("100%", 1000),
        ("0.1%", 1),
    ],
)
def test_it_knows_its_length_in_steps(text: str, steps: int) -> None:
    assert Amount.parse(text).steps(steps_per_epoch=44, budget=1000) == steps


def test_only_a_share_depends_on_the_budget() -> None:
    for text in ("500 steps", "3 epochs"):
        short, long = (Amount.parse(text).steps(steps_per_epoch=10, budget=budget) for budget in (1, 10_000))
        assert short == long
    short, long = (Amount.parse("50%").steps(steps_per_epoch=10, budget=budget) for budget in (100, 200))
    assert (short, long) == (50, 100)


@pytest.mark.parametrize("shares", [("25%", "75%"), ("20%", "30%", "50%"), ("10%", "90%")])
def test_shares_that_make_a_whole_make_the_whole_budget(shares: tuple[str, ...]) -> None:
    assert sum(Amount.parse(share).steps(steps_per_epoch=7, budget=1000) for share in shares) == 1000


def test_the_rest_has_no_length_of_its_own() -> None:
    with pytest.raises(ValueError, match="rest"):
        Amount.parse("rest").steps(steps_per_epoch=10, budget=100)


def test_equal_amounts_are_equal() -> None:
    assert Amount.parse("1 epoch") == Amount.parse(" 1 epochs ")
    assert Amount.parse("1 epoch") != Amount.parse("1 step")
