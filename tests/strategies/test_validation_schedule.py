"""How often validation looks at a trial: an interval found by hand, what bounds it, and its share of the work."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.architectures import RESNET
from tests.strategies.conftest import Cut, made, phase
from tlx.config.strategy import Expand, Plateau, Strategy
from tlx.config.strategy_parts import Averaging, Controller
from tlx.data.order import Epochs
from tlx.strategies.phases import PhasePlan, plan
from tlx.strategies.validation_schedule import (
    Counts,
    ValidationSchedule,
    least_share,
    validation_interval,
    validation_schedule,
)


def counts(train: int, val: int, batch_size: int = 32) -> Counts:
    return Counts(train, val, Epochs(train, batch_size, seed=0).steps_per_epoch)


def auto(*lengths: int, every: str = "auto", **options: Any) -> Strategy:
    """Phases of so many optimizer steps."""
    phases = [phase("all", until=f"{steps} steps") for steps in lengths]
    return made(*phases, budget=f"{sum(lengths)} steps", validate_every=every, **options)


EXAMPLES = st.builds(counts, st.integers(8, 2000), st.integers(1, 500), st.integers(1, 64))
LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=4)


@given(EXAMPLES, LENGTHS)
def test_the_interval_is_the_one_found_by_hand(of: Counts, lengths: list[int]) -> None:
    """The first of whole epochs and beyond that makes validation a tenth, unless a phase has less than five of it."""
    per_step = of.train / of.steps_per_epoch
    affordable = next(k for k in count(1) if of.val <= 0.1 * (of.val + 3 * k * per_step) * (1 + 1e-12))
    expected = min(max(of.steps_per_epoch, affordable), *(steps // 5 for steps in lengths))
    assert validation_interval(auto(*lengths), of) == max(1, expected)


def planned(strategy: Strategy, of: Counts, *lengths: int) -> ValidationSchedule:
    """The schedule of phases that need no network, as nothing is expanded."""
    phases = [PhasePlan("", frozenset(), n, one) for n, one in zip(lengths, strategy.phases, strict=True)]
    return validation_schedule(strategy, of, phases)


@given(EXAMPLES, LENGTHS, st.one_of(st.just("auto"), st.integers(1, 50).map("{} steps".format)))
def test_the_share_is_what_counting_gives(of: Counts, lengths: list[int], every: str) -> None:
    strategy = auto(*lengths, every=every)
    found = planned(strategy, of, *lengths)
    looks = sum(len(range(0, steps, found.interval)) for steps in lengths)  # each phase ends with one
    trained = 3 * sum(lengths) * of.train / of.steps_per_epoch
    assert (found.looks, found.is_auto) == (looks, every == "auto")
    assert found.share == least_share(strategy, of) == pytest.approx(looks * of.val / (looks * of.val + trained))
    assert f"{100 * found.share:.0f} % of the work" in found.lines[0]


@given(EXAMPLES, LENGTHS)
def test_more_than_a_tenth_has_a_reason_and_less_has_none(of: Counts, lengths: list[int]) -> None:
    found = planned(auto(*lengths), of, *lengths)
    reason = found.notes[0].partition(": validation is ")[0] if ": " in found.notes[0] else ""
    assert bool(reason) == (round(100 * found.share) > 10)
    if reason == "five looks per phase":
        assert found.interval == max(1, min(lengths) // 5)


@given(EXAMPLES, LENGTHS, st.integers(1, 400))
def test_auto_is_offered_where_validation_is_a_quarter_and_it_would_be_less(
    of: Counts, lengths: list[int], every: int
) -> None:
    found = planned(auto(*lengths, every=f"{every} steps"), of, *lengths)
    other = planned(auto(*lengths), of, *lengths)
    offered = f", with strategy.validate_every=auto {100 * other.share:.0f} %" in found.notes[0]
    assert offered == (found.share > 0.25 and other.share < found.share)


FEW = counts(50, 1000, 25)  # two steps are an epoch; a validation costs as much as 13 1/3 of them


@pytest.mark.parametrize(
    ("strategy", "interval", "reason"),
    [
        (auto(1200), 120, ""),  # 9 x 13 1/3
        (auto(60), 12, "five looks per phase"),
        (auto(60, 40), 8, "five looks per phase"),
        (auto(4), 1, "five looks per phase"),
        (auto(60, controller=Controller(every="3 steps")), 3, "strategy.controller.every"),
        (auto(60, controller=Controller(every="30 epochs")), 12, "five looks per phase"),
        (auto(60, averaging=Averaging(kind="swa", start="75%")), 3, "swa averages"),  # of the last 15
        (auto(60, averaging=Averaging(kind="swa", start="95%")), 2, "swa averages"),  # as the paper, each epoch
        (auto(60, averaging=Averaging(kind="uniform_soup", size=10)), 6, "a soup"),
        (made(phase("all", plateau=Plateau(patience=3)), budget="60 steps", validate_every="auto"), 12, "five looks"),
        (made(phase("all", plateau=Plateau(patience=8)), budget="60 steps", validate_every="auto"), 6, "10 looks"),
        (made(phase("head", solver="logistic"), phase("all"), budget="60 steps", validate_every="auto"), 12, "five"),
    ],
)
def test_what_keeps_its_sense_bounds_the_interval(cut: Cut, strategy: Strategy, interval: int, reason: str) -> None:
    found = validation_schedule(strategy, FEW, plan(strategy, cut(RESNET), FEW.steps_per_epoch))
    assert found.interval == interval
    assert reason in found.notes[0]


def test_many_examples_are_validated_after_each_epoch() -> None:
    """Patience counts validations, so there are not more of them than with the default."""
    assert validation_interval(auto(100_000), counts(32_000, 100)) == 1000
    assert validation_interval(auto(2500), counts(32_000, 100)) == 500


def test_batch_sizes_differ_in_steps_alone() -> None:
    small, large = counts(640, 6400, 16), counts(640, 6400, 64)
    assert validation_interval(auto(100_000), small) == 4 * validation_interval(auto(100_000), large) == 1200


def test_heads_that_are_solved_have_nothing_to_say() -> None:
    strategy = made(phase("head", solver="logistic"), validate_every="auto")
    assert planned(strategy, FEW, 0).lines == []


def test_an_expanded_phase_counts_as_one_and_says_what_its_plateau_cannot_do(cut: Cut) -> None:
    levels = phase("head", expand=Expand(levels=4), plateau=Plateau(patience=3))
    strategy = made(levels, budget="60 steps", validate_every="auto")
    found = validation_schedule(strategy, FEW, plan(strategy, cut(RESNET), FEW.steps_per_epoch))
    assert (found.interval, found.looks) == (12, 8)  # 15 steps a level
    assert "strategy.phases.0.plateau cannot end 4 of its 4 levels early" in found.lines[1]
    strategy.phases[0].plateau = None
    assert len(validation_schedule(strategy, FEW, plan(strategy, cut(RESNET), 2)).lines) == 1
