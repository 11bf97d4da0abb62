"""The budget of a strategy is shared out in whole optimizer steps; what does not add up is told."""

from __future__ import annotations

import pytest

from tests.strategies.architectures import RESNET
from tests.strategies.conftest import Cut, lengths, made, phase
from tlx.config.errors import ConfigError
from tlx.config.strategy import Expand, Strategy
from tlx.config.strategy_parts import Controller
from tlx.strategies.phases import budget_steps, plan
from tlx.strategies.validation_schedule import Counts, validation_interval


@pytest.mark.parametrize(("budget", "steps"), [("3 epochs", 36), ("1 epoch", 12), ("2.5 epochs", 30), ("500 steps", 500), ("0.01 epochs", 1)])  # fmt: skip  # noqa: E501
def test_lengths_in_optimizer_steps(budget: str, steps: int) -> None:
    assert budget_steps(Strategy(name="test", budget=budget), 12) == steps
    assert validation_interval(Strategy(name="test", validate_every=budget), Counts(384, 1000, 12)) == steps


@pytest.mark.parametrize(("untils", "expected"), [
    (("2 epochs", "rest"), [20, 80]),
    (("30 steps", "70 steps"), [30, 70]),
    (("10%", "1 epochs", "rest"), [10, 10, 80]),
    (("40%",), [40]),
])  # fmt: skip
def test_the_budget_is_shared_out(cut: Cut, untils: tuple[str, ...], expected: list[int]) -> None:
    phases = plan(made(*(phase("head", until=until) for until in untils)), cut(RESNET), 10)
    assert lengths(phases, 100) == expected


@pytest.mark.parametrize("budget", [4, 5, 7, 100])
@pytest.mark.parametrize("shares", [(50, 50), (20, 80), (25, 25, 25, 25)])
def test_shares_that_make_up_the_whole_take_all_of_it(cut: Cut, budget: int, shares: tuple[int, ...]) -> None:
    phases = [phase("head", until=f"{share}%") for share in shares]
    assert sum(lengths(plan(made(*phases, budget=f"{budget} steps"), cut(RESNET), 10), budget)) == budget


@pytest.mark.parametrize(("strategy", "key", "said"), [
    (made(phase("head", until="101 steps")), "strategy.budget", "the budget is 100"),
    (made(phase("head", until="60%"), phase("all", until="60%")), "strategy.budget", "the phases take 120 steps"),
    (made(phase("head", until="100%"), phase("all")), "strategy.budget", "the budget is 100"),
    (made(phase("head", until="0.4%"), phase("all")), "strategy.phases.0.until", "less than one step"),
    (made(phase("head"), phase("haed")), "strategy.phases.1.train", "did you mean head?"),
    (made(phase("head", until="5 steps", expand=Expand())), "strategy.phases.0.until", "9 phases"),
])  # fmt: skip
def test_what_does_not_add_up_is_told(cut: Cut, strategy: Strategy, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(strategy, cut(RESNET), 10)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert said in problem.message


@pytest.mark.parametrize("steps", [9, 10, 26, 99])
@pytest.mark.parametrize("levels", [None, 2, 7])
def test_expanded_phases_share_their_steps_as_equally_as_whole_steps_can(cut: Cut, steps: int, levels: int) -> None:
    strategy = made(
        phase("head", until="1 steps"), phase("head", expand=Expand(levels=levels)), budget=f"{steps + 1} steps"
    )
    first, *others = lengths(plan(strategy, cut(RESNET), 10), steps + 1)
    assert (first, sum(others), len(others)) == (1, steps, levels or 9)
    assert max(others) - min(others) <= 1


@pytest.mark.parametrize(("every", "steps"), [("0.2 epochs", 4), ("3 epochs", 20), ("1 steps", 1)])
def test_a_controller_may_ask_for_more_validations_never_for_fewer(every: str, steps: int) -> None:
    assert validation_interval(made(controller=Controller(every=every)), Counts(640, 1000, 20)) == steps


def test_a_phase_that_takes_the_rest_leaves_the_others_theirs(cut: Cut) -> None:
    strategy = made(phase("head", until="rest"), phase("all", until="25%"))
    assert [one.steps for one in plan(strategy, cut(RESNET), 10)] == [75, 25]
