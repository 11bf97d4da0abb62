"""The columns of a table as features: no parameters, nothing learned by gradients."""

from __future__ import annotations

from collections.abc import Mapping

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.tabular import Tabular
from tlx.columns import Column
from tlx.config.backbone import ColumnsBackbone


def load(config: ColumnsBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader) -> Backbone:
    """Numbers, standardised, and categories, one-hot."""
    table = Tabular(columns)
    return Backbone(table, table.width, table.takes)
