"""Static parameter groups: complete by identity; freezing and thawing equals adding groups by hand, bit by bit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tests.strategies.conftest import Cut, MakeNet
from tlx.backbones.stages import stages
from tlx.strategies import freezing, groups
from tlx.strategies.options import Optimizer as OptimizerOptions
from tlx.strategies.options import Schedule, Strategy

OPTIMIZERS = ("adamw", "adam", "sgd", "rmsprop")
DECAY, MOMENTUM, LR, BACKBONE_LR = 0.1, 0.9, 1e-2, 1e-3


def strategy(name: str = "adamw", **options: Any) -> Strategy:
    chosen = OptimizerOptions(name=name, weight_decay=DECAY, momentum=MOMENTUM)
    return Strategy(name="test", lr=LR, backbone_lr=BACKBONE_LR, optimizer=chosen, **options)


def batches(count: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{"x": torch.randn(16, 8, generator=generator)} for _ in range(count)]


def learn(model: nn.Module, optimizer: Optimizer, data: list[dict[str, Tensor]]) -> None:
    """Plain training steps; dropout draws from torch's generator, seeded anew."""
    torch.manual_seed(2)
    for batch in data:
        optimizer.zero_grad(set_to_none=False)  # what is frozen must not have a gradient, not even zeros
        loss: Tensor = nn.functional.cross_entropy(model(batch), batch["x"][:, :3].argmax(1))
        torch.autograd.backward(loss)
        optimizer.step()


def copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def moved(model: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_tiny", "swin_tiny_patch4_window7_224"])
def test_every_parameter_is_in_one_group_and_vectors_are_not_decayed(cut: Cut, name: str) -> None:
    network = cut(name)
    made = groups.parameter_groups(strategy(), network)
    held = Counter(id(parameter) for group in made for parameter in group["params"])
    assert held == Counter(id(parameter) for parameter in network[0].model.parameters())
    assert {(p.ndim > 1, g["weight_decay"]) for g in made for p in g["params"]} == {(True, DECAY), (False, 0.0)}
    assert len({group["name"] for group in made}) == len(made)


def test_the_head_and_the_backbone_have_their_own_rates(cut: Cut) -> None:
    network = cut("resnet18")
    head = {id(parameter) for parameter in network[-1].parameters()}
    for group in groups.parameter_groups(strategy(), network):
        expected = LR if {id(p) for p in group["params"]} <= head else BACKBONE_LR
        assert group["lr"] == group["base_lr"] == expected
    same = Strategy(name="test", lr=LR, backbone_lr=None)
    assert {group["lr"] for group in groups.parameter_groups(same, network)} == {LR}


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_tensors_hold_still_after_momentum_and_decay(net: MakeNet, name: str, clip: float | None) -> None:
    model = net()
    network = stages(model)
    optimizer = groups.optimizer(strategy(name, clip=clip), network)
    everything = frozenset(parameter for stage in network for parameter in stage.names)
    freezing.freeze(model, everything)
    learn(model, optimizer, batches(4))  # momentum for all of them
    trained = frozenset(network[-1].names)
    freezing.freeze(model, trained)
    before = copies(model)
    learn(model, optimizer, batches(4))
    assert moved(model, before) == trained
    freezing.freeze(model, everything)
    learn(model, optimizer, batches(4))
    assert moved(model, before) == set(before)


BY_HAND: dict[str, Callable[..., Optimizer]] = {
    "adamw": lambda params, fused: torch.optim.AdamW(params, fused=fused),
    "sgd": lambda params, fused: torch.optim.SGD(params, momentum=MOMENTUM, nesterov=True, fused=fused),
}


def hand_group(module: nn.Module, lr: float, decays: bool) -> dict[str, Any]:
    """The matrices or the vectors of a module."""
    chosen = [p for p in module.parameters() if (p.ndim == 2) == decays]
    return {"params": chosen, "lr": lr, "weight_decay": DECAY if decays else 0.0}


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("name", list(BY_HAND))
def test_thawing_equals_add_param_group_bit_by_bit(net: MakeNet, name: str, clip: float | None) -> None:
    ours, theirs = net(), net()
    network = stages(ours)
    optimizer = groups.optimizer(strategy(name, clip=clip), network)
    by_hand: Optimizer | None = None
    for depth in (1, 2, 3):  # the head; then one block more at a time, deep to shallow
        freezing.freeze(ours, frozenset(parameter for stage in network[-depth:] for parameter in stage.names))
        learn(ours, optimizer, batches(5))

        blocks = list(theirs.backbone.blocks)  # type: ignore[union-attr,arg-type]
        thawed = blocks[len(blocks) - depth + 1 :]
        theirs.requires_grad_(False).eval()
        for module in [*thawed, theirs.head]:
            module.requires_grad_(True).train()
        new = theirs.head if by_hand is None else thawed[0]
        assert isinstance(new, nn.Module)
        added = [hand_group(new, LR if by_hand is None else BACKBONE_LR, decays) for decays in (True, False)]
        if by_hand is None:
            by_hand = BY_HAND[name](added, fused=clip is None)
        else:
            for group in added:
                by_hand.add_param_group(group)
        learn(theirs, by_hand, batches(5))
        assert moved(ours, copies(theirs)) == set()
    assert moved(ours, copies(net())) == {n for n in ours.state_dict() if not n.startswith("backbone.blocks.0.")}


def independent(shape: str, warmup: float, step: int, length: int) -> float:
    """The schedule as one would write it on paper."""
    warm = int(length * warmup / 100 + 0.5)
    if step < warm:
        return (step + 1) / warm
    left = (length - step) / (length - warm)
    return {"constant": 1.0, "linear": left, "cosine": math.sin(left * math.pi / 2) ** 2}[shape]


@pytest.mark.parametrize("shape", ["constant", "linear", "cosine"])
@pytest.mark.parametrize(("warmup", "length"), [(10, 100), (10, 7), (0, 20), (25, 12), (100, 9), (10, 1), (50, 2)])
def test_rates_follow_the_schedule(shape: str, warmup: int, length: int) -> None:
    options = strategy(schedule=Schedule(shape=shape, warmup=f"{warmup}%"))
    factors = [groups.factor(options, step, length) for step in range(length)]
    assert factors == pytest.approx([independent(shape, warmup, step, length) for step in range(length)])
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1
