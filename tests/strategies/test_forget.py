"""Forgetting a part of an optimizer's state: those parameters begin again, the others go on."""

from __future__ import annotations

import torch

from tests.strategies.conftest import MakeNet, names
from tlx.backbones.partition.stages import stages
from tlx.config.strategy import Phase, Strategy
from tlx.strategies.optimizers import forget, optimizer
from tlx.strategies.phases import plan


def test_only_what_is_named_is_forgotten(net: MakeNet) -> None:
    model = net()
    cut = stages(model)
    strategy = Strategy(name="all", phases=[Phase(train=["all"])])
    made = optimizer(strategy, cut, plan(strategy, cut, 10))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    made.step()
    gone = names(model, slice(-1, None))
    again = optimizer(strategy, cut, plan(strategy, cut, 10))
    again.load_state_dict(forget(made.state_dict(), gone))
    left = {name for name, parameter in model.named_parameters() if parameter in again.state}
    assert left == {name for name, _ in model.named_parameters()} - gone
    assert gone == {"head.weight", "head.bias"}
