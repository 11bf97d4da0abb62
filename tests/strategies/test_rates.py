"""Full learning rates: timm's layer decay, fastai's geometric rise, multipliers over the run and within a phase."""

from __future__ import annotations

import re
from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn
from transformers import CLIPConfig, CLIPModel

from tests.backbones import bare
from tests.strategies.architectures import EVERYWHERE, KNOWN, RESNET, VIT, on_meta
from tests.strategies.conftest import Cut, made, of, phase, preset
from tlx.backbones.load import load
from tlx.backbones.partition.stages import Stage, stages
from tlx.config.backbone import PixelsBackbone
from tlx.config.errors import ConfigError
from tlx.config.strategy import Expand, Optimizer, Strategy
from tlx.config.strategy_parts import Peft
from tlx.strategies.optimizers import optimizer
from tlx.strategies.peft import adapters
from tlx.strategies.phases import plan
from tlx.strategies.rates import by_stage, depth_from_head, rates, stage_rates

Table = dict[str, tuple[float, ...]]


def table(network: list[Stage], strategy: Strategy) -> Table:
    return rates(strategy, network, plan(strategy, network, 10))


def everything(**options: Any) -> Strategy:
    return made(phase("all"), **options)


def timms(name: str, decay: float, least: float) -> dict[str, float]:
    """Parameter name to scale, by timm; what belongs to its classifier is called ``head``."""
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=5)
    head = {id(parameter) for parameter in model.get_classifier().parameters()}
    names = {
        id(p): f"head.{n.rpartition('.')[2]}" if id(p) in head else f"backbone.{n}" for n, p in model.named_parameters()
    }
    groups = param_groups_layer_decay(model, layer_decay=decay, min_scale=least)
    return {names[id(p)]: group["lr_scale"] for group in groups for p in group["params"]}


@pytest.mark.parametrize(
    "name", [RESNET, VIT, "convnext_atto", "beit_base_patch16_224", "swin_tiny_patch4_window7_224"]
)
@pytest.mark.parametrize(("decay", "least"), [(0.75, 0.0), (0.6, 0.05)])
def test_layer_decay_is_timms(cut: Cut, name: str, decay: float, least: float) -> None:
    found = table(cut(name), everything(lr=2.0, layer_decay=decay, min_scale=least))
    assert {parameter: rate / 2.0 for parameter, (rate,) in found.items()} == pytest.approx(timms(name, decay, least))


def test_layer_decay_falls_from_the_backbones_rate(cut: Cut) -> None:
    found = by_stage(everything(lr=1.0, backbone_lr=0.1, layer_decay=0.5), cut(RESNET))
    assert found == pytest.approx([*(0.1 * 0.5**k for k in range(9, 0, -1)), 1.0])


def test_a_neck_learns_as_fast_as_the_head(cut: Cut) -> None:
    network = cut("convnext_atto")
    assert [stage.name for stage in network[-2:]] == ["neck", "head"]
    assert depth_from_head(network) == [*range(len(network) - 2, 0, -1), 0, 0]


def test_the_neck_of_a_tower_counts_with_the_head_too() -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2}
    with torch.device("meta"):
        network = stages(CLIPModel(CLIPConfig(text_config=sizes | ends, vision_config=sizes, projection_dim=16)))
    tower = {stage.name: height for stage, height in zip(network, depth_from_head(network), strict=True)}
    for name in ("text_model", "vision_model"):
        found = [tower[f"{name}.{part}"] for part in ("stem", "encoder.layers.0", "encoder.layers.1", "neck")]
        assert found == [3, 2, 1, 0]


def even_mults(start: float, stop: float, n: int) -> list[float]:
    """As fastai writes it (fastai/optimizer.py)."""
    if n == 1:
        return [stop]
    mult = stop / start
    step = mult ** (1 / (n - 1))
    return [start * (step**i) for i in range(n)]


@EVERYWHERE
def test_rates_rise_geometrically_from_the_stem_to_the_head(cut: Cut, name: str) -> None:
    network = cut(name)
    found = by_stage(preset("discriminative"), network)
    assert found == pytest.approx(even_mults(5e-5, 5e-3, len(network)))


def test_a_head_without_a_backbone_learns_at_the_full_rate() -> None:
    network = stages(bare.network(load(PixelsBackbone()).module, 192, 5))
    assert by_stage(preset("discriminative"), network) == pytest.approx(even_mults(5e-5, 5e-3, 1))


def test_multipliers_of_the_strategy_multiply(cut: Cut) -> None:
    found = table(cut(VIT), everything(lr=1.0, lr_mult={"bias": 2.0, "norm": 3.0, "re:qkv": 0.5}))
    for name, (rate,) in found.items():
        factors = (
            (2.0 if name.endswith(".bias") else 1) * (3.0 if "norm" in name else 1) * (0.5 if "qkv" in name else 1)
        )
        assert rate == pytest.approx(factors)


def test_multipliers_and_the_scale_of_a_phase_hold_within_it(cut: Cut) -> None:
    phases = [
        phase("head", until="20%"),
        phase("head", until="30%", expand=Expand(levels=2), lr_scale=0.1, lr_mult={"stem": 5.0}),
        phase("all", lr_mult={"head": 0.0}),
    ]
    found = table(cut(RESNET), made(*phases, lr=1.0, backbone_lr=0.5, lr_mult={"stem": 2.0}))
    known = KNOWN[RESNET]
    for name, row in found.items():
        full = {0: 1.0, 9: 1.0}.get(known.depth(name), 0.5)
        within = 0.1 * full * (5 if known.depth(name) == 0 else 1)
        assert row == pytest.approx((full, within, within, 0.0 if known.depth(name) == 9 else full))


@pytest.mark.parametrize(("strategy", "key"), [
    (everything(lr_mult={"haed": 2.0}), "strategy.lr_mult"),
    (made(phase("head", until="5 steps"), phase("all", lr_mult={"re:nothing": 2.0})), "strategy.phases.1.lr_mult"),
])  # fmt: skip
def test_a_multiplier_that_matches_nothing_is_told(cut: Cut, strategy: Strategy, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        table(cut(RESNET), strategy)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_what_peft_put_in_learns_as_fast_as_the_head() -> None:
    model = on_meta(VIT)
    options = Peft(kind="lora")
    with torch.device("meta"):
        network = adapters.insert(model, stages(model), options)
    found = table(network, everything(lr=1.0, backbone_lr=0.1, layer_decay=0.5, peft=options))
    fast = {name for name in found if re.search(r"^head\.|\.lora_[AB]\.", name)}
    assert len(fast) == 2 + 2 * 4 * 12  # two matrices beside each of four linear layers in twelve blocks
    assert {name for name, (rate,) in found.items() if rate == 1.0} == fast
    assert {rate for name, (rate,) in found.items() if name not in fast} == {0.1 * 0.5**k for k in range(1, 14)}


def test_the_rates_shown_are_of_what_trains(cut: Cut) -> None:
    network = cut(RESNET)
    strategy = made(phase("head", "stages[-1]"), lr=1.0, backbone_lr=0.5, lr_mult={"bias": 3.0})
    (only,) = plan(strategy, network, 10)
    assert stage_rates(only, network, table(network, strategy)) == {"layer4.1": 1.5, "head": 3.0}
    (solved,) = plan(preset("logistic"), network, 10)
    assert stage_rates(solved, network, dict.fromkeys(of(network), (1.0,))) == {}


def test_first_steps_of_sgd_are_in_the_ratio_of_the_decay(linears: nn.Module) -> None:
    model = linears.double()
    network = stages(model)
    plain = Optimizer(name="sgd", weight_decay=0.0, momentum=0.0)
    strategy = everything(lr=0.5, layer_decay=0.25, optimizer=plain)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer(strategy, network, plan(strategy, network, 10)).step()
    steps = [float((a - b).mean().detach()) for a, b in zip(before, model.parameters(), strict=True)]
    assert steps == pytest.approx([0.5 * 0.25**k for k in (3, 3, 2, 2, 1, 1, 0, 0)], rel=1e-12)
