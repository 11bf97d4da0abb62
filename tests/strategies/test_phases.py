"""A strategy on a network is a list of phases: what each trains, and for how many optimizer steps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.strategies.conftest import Cut
from tlx import compose
from tlx.backbones.stages import Stage, stages
from tlx.config.errors import ConfigError, Problem
from tlx.strategies.options import Phase, Strategy
from tlx.strategies.phases import PhasePlan, budget_steps, plan, validation_interval
from tlx.tasks.classification import Classifier

RESNET, VIT = "resnet18", "vit_tiny_patch16_224"
BOTH = pytest.mark.parametrize("name", [RESNET, VIT])


def preset(option: str, *overrides: str) -> Strategy:
    return compose([f"strategy={option}", "backbone=resnet18", "dataset=glyphs", *overrides]).strategy


def made(*phases: Phase, budget: str = "100 steps") -> Strategy:
    return Strategy(name="test", budget=budget, phases=list(phases))


def phase(*train: str, **options: Any) -> Phase:
    return Phase(train=list(train), **options)


def of(some: list[Stage]) -> frozenset[str]:
    return frozenset(name for stage in some for name in stage.names)


def lengths(phases: list[PhasePlan], budget: int) -> list[int]:
    """Steps of each phase, run one after the other."""
    done: list[int] = []
    for one in phases:
        done.append(one.length(sum(done), budget))
    return done


def refused(strategy: Strategy, cut: list[Stage], steps_per_epoch: int = 10) -> Problem:
    with pytest.raises(ConfigError) as caught:
        plan(strategy, cut, steps_per_epoch)
    (problem,) = caught.value.problems
    return problem


@BOTH
@pytest.mark.parametrize(("option", "names", "steps"), [
    ("feature_extraction", ["head"], [100]),
    ("logistic", ["head"], [0]),
    ("fine_tune", ["all"], [100]),
    ("scratch", ["all"], [100]),
    ("lp_ft", ["head", "all"], [50, 50]),
])  # fmt: skip
def test_the_shipped_strategies(cut: Cut, name: str, option: str, names: list[str], steps: list[int]) -> None:
    network = cut(name)
    phases = plan(preset(option), network, 10)
    assert [one.name for one in phases] == names
    assert [one.trainable for one in phases] == [of(network[-1:]) if n == "head" else of(network) for n in names]
    assert lengths(phases, 100) == steps


@BOTH
def test_gradual_unfreezing_adds_one_stage_at_a_time(cut: Cut, name: str) -> None:
    network = cut(name)
    phases = plan(preset("gradual_unfreezing"), network, 10)
    assert [one.trainable for one in phases] == [of(network[i:]) for i in reversed(range(len(network)))]
    assert phases[-1].name == "all"
    steps = lengths(phases, 100)
    assert (steps[0], sum(steps)) == (20, 100)
    assert max(steps[1:]) - min(steps[1:]) <= 1


@BOTH
@pytest.mark.parametrize("levels", [1, 3, 5, 99])
def test_levels_merge_neighbours(cut: Cut, name: str, levels: int) -> None:
    network = cut(name)
    phases = plan(made(phase("head", expand="deep_to_shallow", levels=levels)), network, 10)
    assert len(phases) == min(levels, len(network) - 1)
    start = len(network) - 1
    merged = []
    for one in phases:
        size = next(n for n in range(1, start + 1) if of(network[start - n :]) == one.trainable)  # neighbours, whole
        start -= size
        merged.append(size)
    assert start == 0
    assert max(merged) - min(merged) <= 1
    assert sum(lengths(phases, 100)) == 100


def test_an_expanded_phase_begins_above_what_it_already_trains(cut: Cut) -> None:
    network = cut(RESNET)
    phases = plan(made(phase("head", "stages[-3:]", expand="deep_to_shallow")), network, 10)
    assert [one.trainable for one in phases] == [of(network[i:]) for i in reversed(range(len(network) - 4))]


@pytest.mark.parametrize("frozen", ["stem", "norm"])
def test_an_expanded_phase_never_trains_what_it_freezes(cut: Cut, frozen: str) -> None:
    network = cut(RESNET)
    kept = plan(made(phase(frozen)), network, 10)[0].trainable
    phases = plan(made(phase("head", freeze=[frozen], expand="deep_to_shallow")), network, 10)
    assert [one.name for one in phases if one.trainable & kept] == []


def test_nothing_left_to_expand_is_an_error_of_the_request(cut: Cut) -> None:
    from tlx.backbones.load import load
    from tlx.backbones.options import PixelsBackbone

    refused(made(phase("all", expand="deep_to_shallow")), cut(RESNET))
    refused(preset("gradual_unfreezing"), stages(Classifier(load(PixelsBackbone()).module, 192, 5)))


def test_levels_below_one_are_an_error_of_the_request(cut: Cut) -> None:
    with pytest.raises(ConfigError):
        plan(preset("gradual_unfreezing", "strategy.phases.1.levels=-1"), cut(RESNET), 10)


@pytest.mark.parametrize(("budget", "steps"), [("3 epochs", 36), ("1 epoch", 12), ("2.5 epochs", 30), ("500 steps", 500), ("0.01 epochs", 1)])  # fmt: skip  # noqa: E501
def test_lengths_in_optimizer_steps(budget: str, steps: int) -> None:
    assert budget_steps(Strategy(name="test", budget=budget), 12) == steps
    assert validation_interval(Strategy(name="test", validate_every=budget), 12) == steps


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
    (made(phase("head", until="5 steps", expand="deep_to_shallow")), "strategy.phases.0.until", "9 phases"),
])  # fmt: skip
def test_what_does_not_add_up_is_told(cut: Cut, strategy: Strategy, key: str, said: str) -> None:
    problem = refused(strategy, cut(RESNET))
    assert problem.key == key
    assert said in problem.message


@pytest.mark.parametrize(("train", "name"), [
    (["head"], "head"),
    (["all"], "all"),
    (["stages[-2:]", "head"], "layer4.0 to head"),
    (["stem", "head"], "stem, head"),
])  # fmt: skip
def test_phases_are_named_by_what_trains(cut: Cut, train: list[str], name: str) -> None:
    assert plan(made(phase(*train)), cut(RESNET), 10)[0].name == name
