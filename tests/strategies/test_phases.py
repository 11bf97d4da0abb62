"""A strategy on a network is a list of phases: what each trains, from shallow to deep."""

from __future__ import annotations

from typing import Any

import pytest

from tests.strategies.conftest import Cut
from tlx import compose
from tlx.backbones.load import load
from tlx.backbones.options import PixelsBackbone
from tlx.backbones.stages import Stage, stages
from tlx.config.errors import ConfigError, Problem
from tlx.strategies.options import Phase, Strategy
from tlx.strategies.phases import PhasePlan, plan
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
    refused(made(phase("all", expand="deep_to_shallow")), cut(RESNET))


def test_a_backbone_without_parameters_cannot_be_unfrozen() -> None:
    cut = stages(Classifier(load(PixelsBackbone()).module, 192, 5))
    assert [stage.name for stage in cut] == ["head"]
    refused(preset("gradual_unfreezing"), cut)


def test_levels_below_one_are_an_error_of_the_request(cut: Cut) -> None:
    with pytest.raises(ConfigError):
        plan(preset("gradual_unfreezing", "strategy.phases.1.levels=-1"), cut(RESNET), 10)


@pytest.mark.parametrize(("train", "name"), [
    (["head"], "head"),
    (["all"], "all"),
    (["stages[-2:]", "head"], "layer4.0 to head"),
    (["stem", "head"], "stem, head"),
])  # fmt: skip
def test_phases_are_named_by_what_trains(cut: Cut, train: list[str], name: str) -> None:
    assert plan(made(phase(*train)), cut(RESNET), 10)[0].name == name
