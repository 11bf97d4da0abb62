"""A residual network of fully connected layers over the columns of a table, without published weights.

The ResNet of Gorishniy et al. 2021 (arXiv:2106.11959), with layer norm, which needs no batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.tabular import Tabular
from tlx.columns import Column
from tlx.config.backbone import MLPBackbone
from tlx.config.errors import ConfigIssue, WeightsError


class Block(nn.Module):
    """``x + down(relu(up(norm(x))))``."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, width] to [batch, width]."""
        change: Tensor = self.down(self.dropout(F.relu(self.up(self.norm(x)))))
        return x + change


class MLP(nn.Module):
    """Columns of a table to one vector."""

    def __init__(self, config: MLPBackbone, columns: Mapping[str, Column]) -> None:
        super().__init__()
        self.columns = Tabular(columns)
        self.stem = nn.Linear(self.columns.width, config.width)
        dropout = config.dropout or 0.0
        self.blocks = nn.ModuleList([Block(config.width, config.hidden, dropout) for _ in range(config.blocks)])
        self.norm = nn.LayerNorm(config.width)
        read = {name: columns[name] for name in self.columns.reads.values()}
        known = [[name, column.kind, *getattr(column, "categories", ())] for name, column in read.items()]
        digest = hashlib.sha256(json.dumps(known).encode()).digest()[:16]
        self.register_buffer("table", torch.tensor(list(digest), dtype=torch.uint8))  # of which columns the weights are

    def forward(self, **columns: Tensor) -> Tensor:
        """[batch] of each column to [batch, width]."""
        x = self.stem(self.columns(**columns))
        for block in self.blocks:
            x = block(x)
        features: Tensor = F.relu(self.norm(x))
        return features


def load(config: MLPBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader) -> Backbone:
    """The network with random weights, or those of an earlier trial on a table of the same columns."""
    module = MLP(config, columns)
    found = Backbone(module, config.width, module.columns.takes)
    if pretrained and config.weights != "none":
        own = module.get_buffer("table").clone()
        state = weights.strip(read(config.weights), module.state_dict(), config.weights_prefix)
        if not torch.equal(state.get("table", own), own):
            message = "these weights are of a table of other columns or categories"
            raise WeightsError([ConfigIssue("backbone.weights", message, config.weights)])
        found.match = weights.fill(module, state, config.weights, config.weights_prefix)
    return found
