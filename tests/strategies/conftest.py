"""For the strategy tests: one thread, small networks, and three architectures described by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.backbones import bare
from tests.strategies.architectures import on_meta
from tlx import compose
from tlx.backbones.partition.stages import Stage, stages
from tlx.config.strategy import Optimizer, Phase, Strategy
from tlx.strategies.phases import PhasePlan, plan

torch.set_num_threads(1)
LR, BACKBONE_LR, DECAY, MOMENTUM = 1e-2, 1e-3, 0.1, 0.9
Cut = Callable[[str], list[Stage]]
MakeNet = Callable[[], nn.Module]


class Block(nn.Module):
    """A stage: linear, BatchNorm, ReLU, dropout. A bias before BatchNorm changes nothing: its gradient is rounding."""

    def __init__(self, inputs: int, bias: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 64, bias=bias)
        self.norm = nn.BatchNorm1d(64)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, inputs] to [batch, 64]."""
        out: Tensor = self.drop(F.relu(self.norm(self.linear(x))))
        return out


class Backbone(nn.Module):
    """Three stages."""

    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(8, bias), Block(64, bias), Block(64, bias))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 8] to [batch, 64]."""
        out: Tensor = self.blocks(x)
        return out


class Linears(nn.Module):
    """Three stages of one linear layer each, the simplest network there is to compute by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 4] to [batch, 4]."""
        out: Tensor = self.blocks(x)
        return out


@pytest.fixture
def net() -> MakeNet:
    """Makes equal networks: stages ``stem``, ``blocks.1``, ``blocks.2`` and ``head``."""

    def make() -> nn.Module:
        torch.manual_seed(0)
        return bare.network(Backbone(), 64, 3)

    return make


@pytest.fixture
def linears() -> nn.Module:
    """Stages ``stem``, ``blocks.1``, ``blocks.2`` and ``head`` of one linear layer each, without norm or dropout."""
    torch.manual_seed(0)
    return bare.network(Linears(), 4, 3)


@pytest.fixture
def cut() -> Cut:
    """The stages of a network behind a task's head, without memory; not to be changed, it is shared."""
    return lambda name: list(_cut(name))


@cache
def _cut(name: str) -> tuple[Stage, ...]:
    return tuple(stages(on_meta(name)))


@cache
def preset(option: str, *overrides: str) -> Strategy:
    """A shipped strategy."""
    return compose([f"strategy={option}", "backbone=resnet18", "dataset=glyphs", *overrides]).strategy


def made(*phases: Phase, budget: str = "100 steps", **options: Any) -> Strategy:
    return Strategy(name="test", budget=budget, phases=list(phases), **options)


def phase(*train: str, **options: Any) -> Phase:
    return Phase(train=list(train), **options)


def with_optimizer(name: str, **options: Any) -> Strategy:
    """One phase of everything, with rates and a decay that show."""
    chosen = Optimizer(name=name, weight_decay=DECAY, momentum=MOMENTUM, args=options.pop("args", {}))
    return made(phase("all"), lr=LR, backbone_lr=BACKBONE_LR, optimizer=chosen, **options)


def lengths(phases: list[PhasePlan], budget: int) -> list[int]:
    """Steps of each phase, run one after the other."""
    done: list[int] = []
    for one in phases:
        done.append(one.length(sum(done), budget))
    return done


def sets(strategy: Strategy, network: list[Stage], seed: int = 0) -> list[frozenset[str]]:
    """What each phase trains; an epoch is ten steps."""
    return [one.trainable for one in plan(strategy, network, 10, seed)]


def of(some: list[Stage]) -> frozenset[str]:
    return frozenset(name for stage in some for name in stage.names)


def batch(seed: int = 0) -> dict[str, Tensor]:
    """What a network reads of some examples."""
    return {"image": torch.randn(32, 8, generator=torch.Generator().manual_seed(seed))}


def batches(count: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{"image": torch.randn(16, 8, generator=generator)} for _ in range(count)]


def names(model: nn.Module, part: slice) -> frozenset[str]:
    return of(stages(model)[part])


def train(model: nn.Module, steps: int = 2, lr: float = 0.1, decay: float = 0.1, without: str = "") -> None:
    """Training of whatever requires a gradient, honest unless the optimizer goes ``without`` a parameter."""
    held = [parameter for name, parameter in model.named_parameters() if name != without]
    optimizer = torch.optim.SGD(held, lr=lr, momentum=0.9, weight_decay=decay)
    for step in range(steps):
        optimizer.zero_grad()
        data = batch(step)
        loss: Tensor = F.cross_entropy(model(data), data["image"][:, :3].argmax(1))
        torch.autograd.backward(loss)
        optimizer.step()


def learn(model: nn.Module, optimizer: torch.optim.Optimizer, data: list[dict[str, Tensor]]) -> None:
    """Plain training steps; dropout draws from torch's generator, seeded anew."""
    torch.manual_seed(2)
    for one in data:
        optimizer.zero_grad(set_to_none=False)  # what is frozen must not have a gradient, not even zeros
        loss: Tensor = F.cross_entropy(model(one), one["image"][:, :3].argmax(1))
        torch.autograd.backward(loss)
        optimizer.step()


def copies(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def moved(model: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
