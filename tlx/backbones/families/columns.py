"""The columns of a table as features: no parameters, nothing learned by gradients."""

from __future__ import annotations

from collections.abc import Mapping

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.tabular import Tabular
from tlx.columns import Column
from tlx.columns.input_spec import InputSpec, ValueSpec
from tlx.config.backbone import ColumnsBackbone
from tlx.config.errors import ConfigError, ConfigIssue


def load(config: ColumnsBackbone, *, columns: Mapping[str, Column], pretrained: bool, read: weights.Reader) -> Backbone:
    """Numbers, standardised, and categories, one-hot."""
    table = Tabular(of_tables(columns))
    return Backbone(table, table.width, takes(table))


def of_tables(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The numbers and categories among the inputs; raises :class:`ConfigError` where there are none."""
    found = {name: column for name, column in columns.items() if column.kind in ("number", "category")}
    if not found:
        there = ", ".join(f"{name!r} ({column.kind})" for name, column in columns.items()) or "none"
        message = f"it reads numbers and categories; the inputs of the data are {there}"
        raise ConfigError([ConfigIssue("backbone", message)])
    return found


def takes(table: Tabular) -> dict[str, InputSpec]:
    """What the table expects of each of its columns."""
    return {
        argument: ValueSpec("number" if size is None else "category", table.reads[argument])
        for argument, size in table.sizes.items()
    }
