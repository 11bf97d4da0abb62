"""A strategy on a network is a list of phases: what each trains, from shallow to deep, and what it is called."""

from __future__ import annotations

import pytest

from tests.strategies.architectures import RESNET, VIT
from tests.strategies.conftest import Cut, lengths, made, of, phase, preset
from tlx.backbones.partition.stages import merge
from tlx.config.strategy import Expand
from tlx.strategies.phases import plan

BOTH = pytest.mark.parametrize("name", [RESNET, VIT])


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


@pytest.mark.parametrize(("train", "name"), [
    (["head"], "head"),
    (["all"], "all"),
    (["stages[-2:]", "head"], "layer4.0 to head"),
    (["stem", "head"], "stem, head"),
    (["bias"], "21 tensors in 10 stages"),  # 20 BatchNorms and the head
])  # fmt: skip
def test_phases_are_named_by_what_trains(cut: Cut, train: list[str], name: str) -> None:
    assert plan(made(phase(*train)), cut(RESNET), 10)[0].name == name


def test_phases_know_their_place_and_where_they_are_written(cut: Cut) -> None:
    middle = phase("head", until="40%", expand=Expand(levels=3))
    phases = plan(made(phase("head", until="20%"), middle, phase("all")), cut(RESNET), 10)
    assert [one.number for one in phases] == [0, 1, 2, 3, 4]
    assert [one.origin for one in phases] == [0, 1, 1, 1, 2]


def test_new_random_weights_are_drawn_once_though_a_phase_becomes_several(cut: Cut) -> None:
    network = cut(RESNET)
    phases = plan(made(phase("head", reinit=["stages[-2:]"], expand=Expand(levels=3))), network, 10)
    assert [one.fresh for one in phases] == [of(network[-3:-1]), frozenset(), frozenset()]


def test_a_backbone_can_be_merged_into_fewer_stages_first(cut: Cut) -> None:
    network = merge(cut(RESNET), 4)
    assert plan(preset("ulmfit"), network, 10)[1].trainable == of(network[-2:])
