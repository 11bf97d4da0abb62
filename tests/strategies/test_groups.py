"""Static parameter groups: each parameter in one, by identity; vectors are not decayed; each group has its rates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.strategies.architectures import EVERYWHERE, RESNET, VIT, on_meta
from tests.strategies.conftest import BACKBONE_LR, DECAY, LR, Cut, made, phase, preset, with_optimizer
from tlx.backbones.partition.stages import Stage, stages
from tlx.config.strategy import Strategy
from tlx.config.strategy_parts import Controller
from tlx.strategies.groups import parameter_groups
from tlx.strategies.optimizers import optimizer
from tlx.strategies.phases import plan


def grouped(strategy: Strategy, network: list[Stage]) -> list[dict[str, Any]]:
    return parameter_groups(strategy, network, plan(strategy, network, 10))


@pytest.mark.parametrize("name", [RESNET, VIT, "convnext_tiny", "swin_tiny_patch4_window7_224", "bert"])
def test_every_parameter_is_in_one_group_and_vectors_are_not_decayed(cut: Cut, name: str) -> None:
    network = cut(name)
    found = grouped(with_optimizer("adamw"), network)
    held = Counter(id(parameter) for group in found for parameter in group["params"])
    assert held == Counter(id(parameter) for parameter in network[0].model.parameters())
    own = {id(parameter): n for n, parameter in network[0].model.named_parameters()}
    exempt: set[str] = getattr(network[0].model.get_submodule("backbone"), "no_weight_decay", set)()  # timm's own list
    for group in found:
        for parameter in group["params"]:
            free = parameter.ndim <= 1 or own[id(parameter)].removeprefix("backbone.") in exempt
            assert group["weight_decay"] == (0.0 if free else DECAY), own[id(parameter)]
    assert len({group["name"] for group in found}) == len(found)
    assert all([own[id(p)] for p in group["params"]] == group["names"] for group in found)
    place = {n: stage.name for stage in network for n in stage.names}
    assert all({place[n] for n in group["names"]} == {group["stage"]} for group in found)


def test_the_head_and_the_backbone_have_their_own_rates(cut: Cut) -> None:
    network = cut(RESNET)
    for group in grouped(with_optimizer("adamw"), network):
        expected = LR if group["stage"] == "head" else BACKBONE_LR
        assert group["lr"] == expected
        assert group["rates"] == (expected,)
    same = made(phase("all"), lr=LR, backbone_lr=None)
    assert {group["lr"] for group in grouped(same, network)} == {LR}


@EVERYWHERE
@pytest.mark.parametrize("option", ["gradual_unfreezing", "chain_thaw", "plateau_switch", "fine_tune"])
def test_the_groups_do_not_depend_on_what_trains_when(cut: Cut, name: str, option: str) -> None:
    network, strategy = cut(name), preset(option)
    found = grouped(strategy, network)
    assert len(found) == 2 * len(network)  # matrices and vectors of each stage
    count = len(plan(strategy, network, 10))
    assert all(len(group["rates"]) == count for group in found)


def test_rates_that_part_in_a_later_phase_part_the_group(cut: Cut) -> None:
    network = cut(RESNET)
    strategy = made(phase("head", until="10%"), phase("all", lr_mult={"norm": 2.0, "re:conv1": 3.0}), lr=1.0)
    found = {group["name"]: group for group in grouped(strategy, network)}
    assert len(found) == 2 * 9 + 9 - 1 + 2  # conv1 beside conv2 in each block; the stem has but one
    rates = {n: g["rates"] for g in found.values() for n in g["names"]}
    assert rates["backbone.layer1.0.conv1.weight"] == (1.0, 3.0)
    assert rates["backbone.layer1.0.conv2.weight"] == (1.0, 1.0)
    assert rates["backbone.layer1.0.bn1.weight"] == (1.0, 2.0)


def test_auto_rgn_has_a_group_for_each_tensor(cut: Cut) -> None:
    network = cut(VIT)
    found = grouped(made(phase("all"), controller=Controller(kind="auto_rgn")), network)
    assert sorted(n for g in found for n in g["names"]) == sorted(n for n, _ in network[0].model.named_parameters())
    assert {len(group["names"]) for group in found} == {1}
    assert len({group["name"] for group in found}) == len(found)


def test_groups_look_at_no_flag() -> None:
    network = stages(on_meta(VIT))

    def shape() -> list[tuple[Any, ...]]:
        return [(group["name"], group["names"], group["rates"]) for group in grouped(with_optimizer("adamw"), network)]

    before = shape()
    network[0].model.requires_grad_(False)
    assert shape() == before


def test_the_optimizer_holds_the_groups_as_they_are(cut: Cut) -> None:
    network, strategy = cut(VIT), with_optimizer("adamw", clip=1.0)  # a fused one needs memory
    held = optimizer(strategy, network, plan(strategy, network, 10)).param_groups
    for group, given in zip(held, grouped(strategy, network), strict=True):
        assert {name: group[name] for name in given} == given
