"""One phase written, several run: level by level in either direction, one at a time, or random halves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backbones import bare
from tests.strategies.architectures import EVERYWHERE, KNOWN, RESNET, VIT, Architecture
from tests.strategies.conftest import Cut, lengths, made, of, phase, preset, sets
from tlx.backbones.load import load
from tlx.backbones.partition.stages import stages
from tlx.config.backbone import PixelsBackbone
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy import Expand, Phase, Strategy
from tlx.strategies.phases import plan

BOTH = pytest.mark.parametrize("name", [RESNET, VIT])
HALVES: dict[str, Any] = {"order": "random_half"}


def expanded(*train: str, freeze: tuple[str, ...] = (), until: str = "rest", **how: Any) -> Phase:
    return phase(*train, freeze=list(freeze), until=until, expand=Expand(**how))


def told(strategy: Strategy, network: list[Any]) -> ConfigIssue:
    with pytest.raises(ConfigError) as caught:
        plan(strategy, network, 10)
    (problem,) = caught.value.problems
    return problem


def depths(known: Architecture, chosen: frozenset[str]) -> list[int]:
    return sorted({known.depth(name) for name in chosen})


@EVERYWHERE
@pytest.mark.parametrize("cumulative", [True, False])
@pytest.mark.parametrize("order", ["deep_to_shallow", "shallow_to_deep"])
@pytest.mark.parametrize("over", [["backbone"], ["all"]])
def test_the_order_and_whether_a_phase_keeps_what_came_before(
    cut: Cut, name: str, order: str, cumulative: bool, over: list[str]
) -> None:
    known, network = KNOWN[name], cut(name)
    walk = list(range(known.size + (over == ["all"])))
    if order == "deep_to_shallow":
        walk.reverse()
    found = sets(made(expanded(order=order, cumulative=cumulative, over=over)), network)
    assert [depths(known, one) for one in found] == [
        sorted(walk[: i + 1]) if cumulative else [walk[i]] for i in range(len(walk))
    ]
    assert all(one == {n for n in of(network) if known.depth(n) in depths(known, one)} for one in found)  # whole stages


@pytest.mark.parametrize("order", ["deep_to_shallow", "shallow_to_deep"])
def test_what_train_names_is_in_every_phase(cut: Cut, order: str) -> None:
    found = sets(made(expanded("head", "stages[3]", order=order, cumulative=False)), cut(VIT))
    assert len(found) == 12  # one less than there are stages
    assert all({3, 13} < set(depths(KNOWN[VIT], one)) for one in found)


def test_over_says_which_stages_are_walked(cut: Cut) -> None:
    found = sets(made(expanded("head", over=["stages[2:5]"])), cut(RESNET))
    assert [depths(KNOWN[RESNET], one) for one in found] == [[4, 9], [3, 4, 9], [2, 3, 4, 9]]


def test_over_may_name_tensors_of_stages(cut: Cut) -> None:
    network = cut(VIT)
    found = sets(made(expanded("head", over=["norm"], cumulative=False)), network)
    norms = [{n for n in stage.names if "norm" in n} for stage in network[1:-1]]  # the stem has none
    assert found == [of(network[-1:]) | some for some in reversed(norms)]


@BOTH
@pytest.mark.parametrize("levels", [1, 3, 5, 99])
def test_levels_merge_neighbours(cut: Cut, name: str, levels: int) -> None:
    network = cut(name)
    phases = plan(made(expanded("head", levels=levels)), network, 10)
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


@EVERYWHERE
def test_a_random_half_is_half_of_the_stages_rounded_up(cut: Cut, name: str) -> None:
    known, network = KNOWN[name], cut(name)
    found = sets(preset("half_ft"), network)
    assert len(found) == 10  # one per epoch
    assert all(of(network[-1:]) <= one for one in found)
    body = [depths(known, one - of(network[-1:])) for one in found]
    assert {len(one) for one in body} == {(known.size + 1) // 2}
    assert all(one == {n for n in of(network) if known.depth(n) in depths(known, one)} for one in found)
    assert {depth for one in body for depth in one} == set(range(known.size))  # each had its turn


def test_halves_differ_by_phase_and_seed_and_repeat_for_the_same(cut: Cut) -> None:
    network, strategy = cut(VIT), preset("half_ft")
    first, again, other = (sets(strategy, network, seed) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first)) > 8
    assert sum(a == b for a, b in zip(first, other, strict=True)) <= 1


@pytest.mark.parametrize(("levels", "expected"), [(None, 10), (3, 3)])
def test_how_many_halves(cut: Cut, levels: int | None, expected: int) -> None:
    assert len(sets(made(expanded("head", levels=levels, **HALVES)), cut(RESNET))) == expected


def test_halves_of_less_than_an_epoch_are_one(cut: Cut) -> None:
    assert len(sets(made(expanded("head", **HALVES), budget="4 steps"), cut(RESNET))) == 1


def test_an_expanded_phase_begins_above_what_it_already_trains(cut: Cut) -> None:
    network = cut(RESNET)
    found = sets(made(expanded("head", "stages[-3:]")), network)
    assert found == [of(network[i:]) for i in reversed(range(len(network) - 4))]


@pytest.mark.parametrize("frozen", ["stem", "norm"])
@pytest.mark.parametrize("how", [{}, {"order": "shallow_to_deep", "cumulative": False}, HALVES])
def test_an_expanded_phase_never_trains_what_it_freezes(cut: Cut, frozen: str, how: dict[str, Any]) -> None:
    network = cut(RESNET)
    kept = sets(made(phase(frozen)), network)[0]
    phases = plan(made(expanded("head", freeze=(frozen,), **how)), network, 10)
    assert [one.name for one in phases if one.trainable & kept] == []


def test_nothing_left_to_expand_is_an_error_of_the_request(cut: Cut) -> None:
    problem = told(made(expanded("all")), cut(RESNET))
    assert problem.key == "strategy.phases.0.expand"


def test_a_backbone_without_parameters_cannot_be_unfrozen() -> None:
    network = stages(bare.network(load(PixelsBackbone()).module, 192, 5))
    assert [stage.name for stage in network] == ["head"]
    told(preset("gradual_unfreezing"), network)


def test_levels_below_one_are_an_error_of_the_request() -> None:
    with pytest.raises(ConfigError):
        preset("gradual_unfreezing", "strategy.phases.1.expand.levels=-1")


def test_a_misspelt_over_is_told_at_its_key(cut: Cut) -> None:
    problem = told(made(expanded("head", over=["bakbone"])), cut(RESNET))
    assert problem.key == "strategy.phases.0.expand.over"
    assert "did you mean backbone?" in problem.message


@pytest.mark.parametrize(("written", "key"), [
    (phase("all", reinit=["stagse[-1]"]), "strategy.phases.0.reinit"),
    (expanded(freeze=("hed",)), "strategy.phases.0.freeze"),
])  # fmt: skip
def test_other_selectors_are_told_at_their_keys(cut: Cut, written: Phase, key: str) -> None:
    assert told(made(written), cut(RESNET)).key == key
