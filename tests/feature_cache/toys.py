"""Toy backbones: each does one thing that makes keeping a part of it hard."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.backbones import bare
from tlx.columns.input_spec import ImageSpec, TextSpec
from tlx.tasks.network import Network

SPEC = ImageSpec(1, 8, 8, (0.25,), (0.3,))
WIDTH = 64


def toy(backbone: nn.Module, seed: int = 0, spec: ImageSpec | TextSpec = SPEC) -> Network:
    """A classifier of digits, or of texts, on a toy, its weights drawn anew."""
    torch.manual_seed(seed)
    model = bare.network(backbone, WIDTH, 10, spec)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


class Plain(nn.Module):
    """Three layers, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, WIDTH)
        self.middle = nn.Linear(WIDTH, WIDTH)
        self.last = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Any:
        return self.last(self.middle(self.first(x.flatten(1)).tanh()).tanh())


class Between(Plain):
    """With something between the first and the second layer."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.between = between

    def forward(self, x: Tensor) -> Any:
        return self.last(self.middle(self.between(self.first(x.flatten(1)))).tanh())


class Tied(Plain):
    """Its last layer has the first one's bias."""

    def __init__(self) -> None:
        super().__init__()
        self.last.bias = self.first.bias


class Twice(Plain):
    """Its middle layer is called three times, a layer of the same kind between."""

    def forward(self, x: Tensor) -> Any:
        x = self.middle(self.first(x.flatten(1)).tanh())
        return self.middle(self.last(self.middle(x.tanh())).tanh())


class Branches(nn.Module):
    """Gives a tensor and a mapping with a null in it."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(64, WIDTH)

    def forward(self, x: Tensor) -> Any:
        x = self.lin(x)
        return x.tanh(), {"more": x.sigmoid(), "none": None, "name": "branches"}


class Branched(nn.Module):
    """A frozen first part with two outputs, which both go on."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Branches()
        self.last = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Any:
        one, rest = self.first(x.flatten(1))
        assert rest["none"] is None
        assert rest["name"] == "branches"
        return self.last(one * rest["more"])


class Stash(nn.Module):
    """Leaves the output of a layer within in an attribute."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.lin = nn.Linear(WIDTH, WIDTH)
        self.own = own  # is it from an operation of its own?
        self.left: Tensor | None = None

    def forward(self, x: Tensor) -> Any:
        inner = self.lin(x)
        self.left = x * 2 if self.own else inner
        return inner.tanh()


class Stashed(Plain):
    """Reads what a frozen module left behind."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.stash = Stash(own)

    def forward(self, x: Tensor) -> Any:
        x = self.stash(self.first(x.flatten(1)))
        assert self.stash.left is not None
        return self.last(x) + self.stash.left


class Skip(Plain):
    """The image itself goes into the last layer."""

    def forward(self, x: Tensor) -> Any:
        return self.last(self.first(x.flatten(1)).tanh()) + x.flatten(1)[:, :WIDTH]


class Aliased(Plain):
    """A frozen module changes in place what another gave, and its own result is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Any:
        x = self.first(x.flatten(1))
        self.act(x)
        return self.last(x)


class Moody(Plain):
    """Takes another way for more than two examples."""

    def forward(self, x: Tensor) -> Any:
        x = self.first(x.flatten(1))
        return self.last(self.middle(x) if len(x) > 2 else x)


class Position(nn.Module):
    """The same for every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(WIDTH))

    def forward(self) -> Any:
        return self.weight * 2


class Positioned(Plain):
    """The first site by name gives one tensor for all examples, which may be changed in place later."""

    def __init__(self, in_place: bool = False) -> None:
        super().__init__()
        self.a_position = Position()
        self.in_place = in_place

    def forward(self, x: Tensor) -> Any:
        position = self.a_position()
        rest = self.last(self.first(x.flatten(1)).tanh())
        return rest + (position.add_(1) if self.in_place else position)


class Table(nn.Module):
    """Remembers a table for as many rows as it saw last."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Tensor | None = None

    def forward(self, x: Tensor) -> Any:
        if self.rows is None or len(self.rows) != len(x):
            self.rows = torch.arange(len(x), dtype=x.dtype)[:, None] / 10
        return x + self.rows - self.rows


class Remembering(Plain):
    """A table module is called in the frozen part, and again after it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()

    def forward(self, x: Tensor) -> Any:
        x = self.first(self.table(x.flatten(1)))
        return self.table(self.last(x.tanh()))
