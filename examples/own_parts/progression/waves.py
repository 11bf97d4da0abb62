"""A network for tables: periodic embeddings of the columns, then residual blocks."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from progression.parts import Waves
from tlx.backbones.backbone import Backbone
from tlx.backbones.tabular import Tabular
from tlx.columns import Column


class Stem(nn.Module):
    """Each number by the sines and cosines of its multiples, then a layer."""

    def __init__(self, columns: int, frequencies: int, width: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(0.3 * torch.randn(columns, frequencies))
        self.mix = nn.Linear(2 * columns * frequencies, width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, columns] to [batch, width]."""
        phase = 2 * math.pi * x[:, :, None] * self.frequency
        return torch.relu(self.mix(torch.cat([phase.sin(), phase.cos()], dim=2).flatten(1)))


class WavesNet(nn.Module):
    """Columns of a table to features. Its stages are the stem, each block, and the norm."""

    def __init__(self, columns: Mapping[str, Column], options: Waves) -> None:
        super().__init__()
        width, dropout = options.width, options.dropout or 0.0
        self.columns = Tabular(columns)  # numbers come standardised, categories become one-hot
        self.stem = Stem(self.columns.width, options.frequencies, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout))
            for _ in range(options.blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, **columns: Tensor) -> Tensor:
        """[batch] of each column to [batch, width]."""
        x = self.stem(self.columns(**columns))
        for block in self.blocks:
            x = x + block(x)
        return self.norm(x)


def load(options: Waves, *, columns: Mapping[str, Column], pretrained: bool, read: Any) -> Backbone:
    """The network with random weights; those that ``backbone.weights`` names are put in by tlx."""
    network = WavesNet(columns, options)
    stages = ["stem", *(rf"blocks\.{number}\." for number in range(options.blocks)), "norm"]
    return Backbone(network, options.width, network.columns.takes, stages=stages)
