"""A column of a kind of its own, data of it, and a backbone that reads it, as a stranger would write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tlx.backbones.backbone import Backbone
from tlx.columns import Column, Label, Reading
from tlx.config import backbone, dataset
from tlx.config.fields import option
from tlx.data.source import Source


@dataclass(frozen=True)
class Angle(Column):
    """Degrees, of which 0 and 360 are the same."""

    kind: ClassVar[str] = "angle"
    turns: float = 1.0

    def problem(self, value: Any) -> str:
        """Not a number."""
        return "" if np.isfinite(value) else "no angle"

    def prepare(self, value: Any, reading: Reading) -> Any:
        """A point on a circle."""
        radians = np.deg2rad(value) * self.turns
        return np.array([np.cos(radians), np.sin(radians)], dtype=np.float32)


@dataclass(frozen=True)
class AngleSpec:
    """A point on a circle [2]."""

    kind: ClassVar[str] = "angle"

    def example(self, count: int, tokens: int | None = None) -> Tensor:
        """[count, 2]."""
        return torch.zeros(count, 2)


@dataclass
class Winds(dataset.Dataset):
    """Directions, and whether they are of the north."""

    kind: str = "winds"
    modality: str = "angle"
    name: str = option("winds", "what runs are called by")


def winds(options: Winds) -> Source:
    """Eighty directions."""
    angle = np.random.default_rng(0).uniform(0, 360, 80)
    north = ["yes" if np.cos(np.deg2rad(one)) > 0 else "no" for one in angle]
    return Source([Angle("from"), Label("north")], {"from": angle, "north": north}, splits={})


@dataclass
class Compass(backbone.Backbone):
    """A layer on a direction."""

    kind: str = "compass"
    modality: str = "angle"
    name: str = option("compass", "what runs are called by")
    weights: str = option("none", "it has none of its own")


class CompassNet(nn.Module):
    """A direction to features."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(2, 8)

    def forward(self, angle: Tensor) -> Tensor:
        """[batch, 2] to [batch, 8]."""
        return torch.relu(self.stem(angle))


def compass(options: Compass, *, columns: Mapping[str, Column], pretrained: bool, read: Any) -> Backbone:
    """The network, with random weights."""
    return Backbone(CompassNet(), 8, {"angle": AngleSpec()})


def winds_fingerprint(options: Winds) -> str:
    """They never change."""
    return "winds-1"
