"""The network of a task whose outputs are a vector: a backbone, the columns beside it, and a linear head."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from tlx.backbones.backbone import Backbone
from tlx.backbones.tabular import Tabular
from tlx.columns import Category, Column, Number
from tlx.columns.input_spec import ImageSpec, InputSpec, arguments
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue

TEMPERATURE = "temperature"  # the buffer of what outputs are divided by


class Network(nn.Module):
    """A backbone and a linear head on its features.

    Numbers and categories that the backbone does not read go to the head beside its features.
    """

    temperature: Tensor | None
    features_dtype: torch.dtype | None = None  # of a frozen backbone's arithmetic; None: that of the head

    def __init__(self, backbone: Backbone, schema: Schema, outputs: int, *, calibrated: bool = False) -> None:
        """``calibrated``: outputs are divided by a number, which is 1 until it is fitted.

        Raises :class:`ConfigError` where the backbone cannot read the inputs of the data, or leaves some unread.
        """
        super().__init__()
        self.takes = backbone.takes
        self.reads = bind(backbone.takes, schema.inputs)  # argument to column
        if any(isinstance(spec, ImageSpec) for spec in backbone.takes.values()):
            _channels_last(backbone.module)
        self.backbone = backbone.module
        self.beside = _beside(schema.inputs, set(self.reads.values()))
        self.head = nn.Linear(backbone.width + (self.beside.width if self.beside is not None else 0), outputs)
        self.register_buffer(TEMPERATURE, torch.ones(()) if calibrated else None)

    @property
    def specs(self) -> dict[str, InputSpec]:
        """By column, what the backbone expects of it."""
        return {column: self.takes[argument] for argument, column in self.reads.items()}

    def backbone_features(self, inputs: Mapping[str, Any]) -> Tensor:
        """What the backbone makes of its columns [batch, width]."""
        own = next(self.parameters()).dtype
        given = arguments(self.reads, inputs, self.takes, own)
        if self.features_dtype is None:
            features: Tensor = self.backbone(**given)
            return features
        with self.arithmetic(given):
            features = self.backbone(**given)
        return features.to(own)

    def arithmetic(self, given: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """What the backbone computes under, for arguments on some device: autocast where it has bits of its own."""
        kind = next((one.device.type for one in given.values() if isinstance(one, Tensor)), "meta")
        if self.features_dtype is None or kind == "meta":  # where there are shapes alone
            return nullcontext()
        return torch.autocast(kind, dtype=self.features_dtype)

    def features(self, inputs: Mapping[str, Any]) -> Tensor:
        """What the head reads [batch, width]; ``inputs`` by column, as a batch has them."""
        features = self.backbone_features(inputs)
        if self.beside is None:
            return features
        return torch.cat([features, self.beside(**arguments(self.beside.reads, inputs))], dim=1)

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        """Outputs [batch, outputs] of the head, divided by the temperature where there is one."""
        outputs: Tensor = self.head(self.features(inputs))
        return outputs if self.temperature is None else outputs / self.temperature

    def example(self, count: int, tokens: int | None = None) -> dict[str, Any]:
        """Empty inputs by column for ``count`` examples, for passes that only look at shapes."""
        found = {column: self.takes[argument].example(count, tokens) for argument, column in self.reads.items()}
        if self.beside is not None:
            for argument, size in self.beside.sizes.items():
                kind = torch.float32 if size is None else torch.long
                found[self.beside.reads[argument]] = torch.zeros(count, dtype=kind)
        return found


def specs(model: nn.Module) -> dict[str, InputSpec]:
    """By column, what the backbone of a task's model expects of it."""
    found: dict[str, InputSpec] = model.specs  # type: ignore[assignment]
    return found


def bind(takes: Mapping[str, InputSpec], inputs: Mapping[str, Column]) -> dict[str, str]:
    """Find the column for each argument of a backbone: the one of its name, or else the only one of its kind.

    Raises:
        ConfigError: There is none, or there are several.
    """
    found: dict[str, str] = {}
    for argument, spec in takes.items():
        fitting = [name for name, column in inputs.items() if column.kind == spec.kind]
        wanted = getattr(spec, "column", None) or argument
        if wanted in fitting:
            found[argument] = wanted
        elif len(fitting) == 1:
            found[argument] = fitting[0]
        else:
            there = ", ".join(f"{name!r} ({column.kind})" for name, column in inputs.items()) or "none"
            message = f"it reads one column of kind {spec.kind}; the inputs of the data are {there}"
            raise ConfigError([ConfigIssue("backbone", message, argument)])
    return found


def _beside(inputs: Mapping[str, Column], read: set[str]) -> Tabular | None:
    """The columns that go to the head as they are; raises :class:`ConfigError` for one that nothing can read."""
    left = {name: column for name, column in inputs.items() if name not in read}
    problems = [
        ConfigIssue(f"dataset.columns.{name}", f"no part of this backbone reads a column of kind {column.kind}", name)
        for name, column in left.items()
        if not isinstance(column, (Number, Category))
    ]
    if problems:
        raise ConfigError(problems)
    return Tabular(left) if left else None


def _channels_last(network: nn.Module) -> None:
    """Lay weights out as batches are, unless they are so already: heads side by side share a network."""
    images = (parameter for parameter in network.parameters() if parameter.ndim == 4)
    if not all(one.is_contiguous(memory_format=torch.channels_last) for one in images):
        network.to(memory_format=torch.channels_last)
