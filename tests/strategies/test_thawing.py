"""Static groups against torch's own way, ``add_param_group`` at each thaw: equal bit by bit, with the state carried."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from tests.strategies.conftest import (
    BACKBONE_LR,
    DECAY,
    LR,
    MOMENTUM,
    MakeNet,
    batches,
    copies,
    learn,
    moved,
    names,
    with_optimizer,
)
from tlx.backbones.partition.stages import stages
from tlx.strategies import freezing, optimizers
from tlx.strategies.phases import plan

BY_HAND: dict[str, tuple[str, dict[str, Any]]] = {
    "adamw": ("AdamW", {}),
    "adam": ("Adam", {}),
    "sgd": ("SGD", {"momentum": MOMENTUM, "nesterov": True}),
    "rmsprop": ("RMSprop", {"momentum": MOMENTUM}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "adamax": ("Adamax", {}),
    "nadam": ("NAdam", {}),
    "radam": ("RAdam", {}),
    "adafactor": ("Adafactor", {}),
}
FUSED = ("adamw", "adam", "sgd", "adagrad")


def hand_group(module: nn.Module, lr: float, decays: bool) -> dict[str, Any]:
    """The matrices or the vectors of a module."""
    chosen = [p for p in module.parameters() if (p.ndim == 2) == decays]
    return {"params": chosen, "lr": lr, "weight_decay": DECAY if decays else 0.0}


def ours(net: MakeNet, name: str, clip: float | None) -> tuple[nn.Module, Optimizer]:
    model, strategy = net(), with_optimizer(name, clip=clip)
    network = stages(model)
    return model, optimizers.optimizer(strategy, network, plan(strategy, network, 10))


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("name", list(BY_HAND))
def test_thawing_equals_add_param_group_bit_by_bit(net: MakeNet, name: str, clip: float | None) -> None:
    model, optimizer = ours(net, name, clip)
    theirs = net()
    kind, arguments = BY_HAND[name]
    if name in FUSED:
        arguments = {**arguments, "fused": clip is None}
    by_hand: Optimizer | None = None
    for depth in (1, 2, 3):  # the head; then one block more at a time, deep to shallow
        freezing.freeze(model, names(model, slice(-depth, None)))
        learn(model, optimizer, batches(5))

        blocks = list(theirs.get_submodule("backbone.blocks").children())
        thawed = blocks[len(blocks) - depth + 1 :]
        theirs.requires_grad_(False).eval()
        for module in [*thawed, theirs.get_submodule("head")]:
            module.requires_grad_(True).train()
        new = theirs.get_submodule("head") if by_hand is None else thawed[0]
        added = [hand_group(new, LR if by_hand is None else BACKBONE_LR, decays) for decays in (True, False)]
        if by_hand is None:
            by_hand = getattr(torch.optim, kind)(added, **arguments)
        else:
            for group in added:
                by_hand.add_param_group(group)
        learn(theirs, by_hand, batches(5))
        assert moved(model, copies(theirs)) == set()
    untouched = {n for n in model.state_dict() if n.startswith("backbone.blocks.0.")}
    assert moved(model, copies(net())) == set(model.state_dict()) - untouched


@pytest.mark.parametrize("name", list(BY_HAND))
def test_a_new_optimizer_with_the_old_state_goes_on_as_the_old_one(net: MakeNet, name: str) -> None:
    """Each phase is a fit of its own, with a new optimizer; what never trained has no state to carry."""
    kept, through = ours(net, name, None)
    split, first = ours(net, name, None)
    for part in (slice(-1, None), slice(-3, None), slice(-2, None)):
        freezing.freeze(kept, names(kept, part))
        learn(kept, through, batches(4))
        freezing.freeze(split, names(split, part))
        learn(split, first, batches(4))
        network, strategy = stages(split), with_optimizer(name)
        second = optimizers.optimizer(strategy, network, plan(strategy, network, 10))
        second.load_state_dict(first.state_dict())
        first = second
        assert moved(kept, copies(split)) == set()
