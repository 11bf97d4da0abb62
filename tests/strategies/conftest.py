"""For the strategy tests: one thread, and a small network with BatchNorm and dropout in every stage."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.backbones.stages import Stage, stages
from tlx.tasks.classification import Classifier

torch.set_num_threads(1)
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


@pytest.fixture
def net() -> MakeNet:
    """Makes equal networks: stages ``stem``, ``blocks.1``, ``blocks.2`` and ``head``."""

    def make() -> nn.Module:
        torch.manual_seed(0)
        return Classifier(Backbone(), 64, 3)

    return make


@pytest.fixture
def cut() -> Cut:
    """The stages of a timm model behind a task's head, without memory."""

    def make(name: str) -> list[Stage]:
        with torch.device("meta"):
            backbone = timm.create_model(name, num_classes=0)
            return stages(Classifier(backbone, 8, 5))

    return make


def batch(seed: int = 0) -> dict[str, Tensor]:
    return {"x": torch.randn(32, 8, generator=torch.Generator().manual_seed(seed))}


def names(model: nn.Module, part: slice) -> frozenset[str]:
    return frozenset(name for stage in stages(model)[part] for name in stage.names)


def train(model: nn.Module, steps: int = 2, lr: float = 0.1, decay: float = 0.1, without: str = "") -> None:
    """Training of whatever requires a gradient, honest unless the optimizer goes ``without`` a parameter."""
    held = [parameter for name, parameter in model.named_parameters() if name != without]
    optimizer = torch.optim.SGD(held, lr=lr, momentum=0.9, weight_decay=decay)
    for step in range(steps):
        optimizer.zero_grad()
        data = batch(step)
        loss: Tensor = F.cross_entropy(model(data), data["x"][:, :3].argmax(1))
        torch.autograd.backward(loss)
        optimizer.step()
