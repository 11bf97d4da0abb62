"""Auto-RGN: a tensor's rate is its gradient norm over its weight norm, beside the largest; on gradients set by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tests.strategies.conftest import made, phase
from tlx.backbones.partition.stages import stages
from tlx.columns.batch import Batch
from tlx.config.strategy_parts import Controller as Options
from tlx.strategies.controllers import AutoRGN, Controller, controller
from tlx.strategies.groups import parameter_groups
from tlx.strategies.phases import plan

STRATEGY = made(phase("all"), controller=Options(kind="auto_rgn", batches=2))


@pytest.fixture
def rgn(linears: nn.Module) -> Controller:
    found = controller(STRATEGY.controller, stages(linears))
    assert isinstance(found, AutoRGN)
    return found


def fill(model: nn.Module, weight: float = 0.0, gradient: float | None = None, **exceptions: float) -> None:
    """Every weight and gradient to these values; ``blocks_1`` names the gradients of one layer."""
    for name, parameter in model.named_parameters():
        if weight:
            parameter.data.fill_(weight)
        value = next((v for key, v in exceptions.items() if key.replace("_", ".") in name), gradient)
        parameter.grad = None if value is None else torch.full_like(parameter, value)


def factors(rgn: Controller, model: nn.Module) -> dict[str, float]:
    network = stages(model)
    groups = parameter_groups(STRATEGY, network, plan(STRATEGY, network, 10))
    return {group["names"][0]: rgn.factors.get(group["names"][0], 1.0) for group in groups}


def decide(rgn: Controller, model: nn.Module) -> frozenset[str]:
    nothing = Batch(torch.arange(0), {})
    return rgn.decide(model, nothing, 1.0)


def test_rates_are_relative_to_the_largest(linears: nn.Module, rgn: Controller) -> None:
    for _ in range(2):
        fill(linears, 0.5, 0.01, blocks_1=0.04, head=0.02)
        rgn.observe(linears, 1.0)
    found = factors(rgn, linears)
    assert len(found) == 8
    for name, value in found.items():
        assert value == pytest.approx(1.0 if "blocks.1" in name else 0.5 if "head" in name else 0.25)


def test_they_are_the_ratio_of_norms_whatever_the_shapes(linears: nn.Module, rgn: Controller) -> None:
    draw = torch.Generator().manual_seed(0)
    sums: dict[str, float] = {}
    for _ in range(2):
        for name, parameter in linears.named_parameters():
            gradient: Tensor = torch.randn(parameter.shape, generator=draw)
            parameter.grad = gradient
            ratio = math.sqrt(float((gradient**2).sum())) / math.sqrt(float((parameter.detach() ** 2).sum()))
            sums[name] = sums.get(name, 0.0) + ratio / 2
        rgn.observe(linears, 1.0)
    assert factors(rgn, linears) == pytest.approx({name: v / max(sums.values()) for name, v in sums.items()}, rel=1e-4)


def test_a_scaled_gradient_is_measured_unscaled(linears: nn.Module, rgn: Controller) -> None:
    fill(linears, 0.5, 1024 * 0.01, head=1024 * 0.02)  # mixed precision: 1024 times too large
    rgn.observe(linears, 1024.0)
    fill(linears, 0.5, 0.02, head=0.01)
    rgn.observe(linears, 1.0)
    assert list(factors(rgn, linears).values()) == pytest.approx([1.0] * 8)


def test_until_enough_batches_were_seen_all_learn_at_the_full_rate(linears: nn.Module, rgn: Controller) -> None:
    fill(linears, 0.5, 0.01, head=0.02)
    rgn.observe(linears, 1.0)
    assert set(factors(rgn, linears).values()) == {1.0}


def test_only_the_first_batches_of_a_round_count(linears: nn.Module, rgn: Controller) -> None:
    for gradient in (0.02, 0.02, 7.0, 7.0):
        fill(linears, 0.5, 0.01, head=gradient)
        rgn.observe(linears, 1.0)
    assert factors(rgn, linears)["backbone.blocks.0.weight"] == pytest.approx(0.5)


def test_each_round_measures_anew_and_keeps_the_old_rates_until_it_has(linears: nn.Module, rgn: Controller) -> None:
    stem = "backbone.blocks.0.weight"
    for _ in range(2):
        fill(linears, 0.5, 0.01, head=0.02)
        rgn.observe(linears, 1.0)
    assert decide(rgn, linears) == frozenset()
    assert factors(rgn, linears)[stem] == pytest.approx(0.5)
    fill(linears, 0.5, 0.02, head=0.002)
    rgn.observe(linears, 1.0)
    assert factors(rgn, linears)[stem] == pytest.approx(0.5)
    rgn.observe(linears, 1.0)
    assert factors(rgn, linears)[stem] == 1.0
    assert factors(rgn, linears)["head.weight"] == pytest.approx(0.1)


def test_zeros_are_measured_against_a_floor_and_nothing_falls_below_a_thousandth(
    linears: nn.Module, rgn: Controller
) -> None:
    for _ in range(2):
        fill(linears, 1.0, 0.1, blocks_2=1e-9)
        linears.get_parameter("head.bias").data.zero_()  # of three: as if each were 1/100
        rgn.observe(linears, 1.0)
    found = factors(rgn, linears)
    assert found["head.bias"] == 1.0
    assert found["head.weight"] == pytest.approx(0.01)
    assert found["backbone.blocks.2.weight"] == 1e-3


def test_without_any_gradient_nothing_changes(linears: nn.Module, rgn: Controller) -> None:
    for gradient in (None, 0.0):
        fill(linears, 1.0, gradient)
        for _ in range(2):
            rgn.observe(linears, 1.0)
        assert set(factors(rgn, linears).values()) == {1.0}
        decide(rgn, linears)


def test_frozen_tensors_have_the_full_rate_when_they_thaw(linears: nn.Module, rgn: Controller) -> None:
    for _ in range(2):
        fill(linears, 1.0, None, head=0.1)
        rgn.observe(linears, 1.0)
    assert set(factors(rgn, linears).values()) == {1.0}


def test_saved_in_the_middle_of_a_round_it_goes_on_alike(linears: nn.Module, rgn: Controller) -> None:
    fill(linears, 0.5, 0.01, head=0.02)
    rgn.observe(linears, 1.0)
    other = AutoRGN(rgn.options, stages(linears))
    other.load(rgn.state())
    fill(linears, 0.5, 0.01, head=0.06)
    for one in (rgn, other):
        one.observe(linears, 1.0)
    assert factors(rgn, linears) == factors(other, linears)
    assert factors(rgn, linears)["backbone.blocks.0.weight"] == pytest.approx(0.25)
