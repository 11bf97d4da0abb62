"""What a backbone expects to be fed; the data room prepares its examples by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch


@dataclass(frozen=True)
class ImageSpec:
    """A float tensor [channels, height, width], ``(pixel / 255 - mean) / std``."""

    kind: ClassVar[str] = "image"  # of the column that it is read from
    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    crop: float = 1.0  # the share of the resized image kept by the centre crop


@dataclass(frozen=True)
class TextSpec:
    """Token ids of at most ``max_length``, padded with ``pad_id``."""

    kind: ClassVar[str] = "text"
    tokenizer: Any
    max_length: int
    pad_id: int


@dataclass(frozen=True)
class ValueSpec:
    """One value for each example, as the column of that kind gives it: a number, or the number of a category.

    Args:
        kind: Of the column.
        column: Its name; None: that of the argument.
    """

    kind: str
    column: str | None = None


InputSpec = ImageSpec | TextSpec | ValueSpec


def example(spec: InputSpec, count: int, tokens: int | None = None) -> Any:
    """Empty inputs of the right shapes for ``count`` examples, for passes that only look at shapes.

    Texts have ``tokens`` tokens; None: as many as the backbone reads.
    """
    if isinstance(spec, ImageSpec):
        return torch.empty(count, spec.channels, spec.height, spec.width)
    if isinstance(spec, ValueSpec):
        return torch.zeros(count, dtype=torch.long if spec.kind == "category" else torch.float32)
    ids = torch.zeros(count, tokens or spec.max_length, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def arguments(reads: Mapping[str, str], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a backbone's forward, from the columns that it reads.

    Args:
        reads: Argument to column.
        inputs: By column: a tensor, or tensors that have arguments of their own, as a text's ids and mask.
    """
    found: dict[str, Any] = {}
    for argument, column in reads.items():
        value = inputs.get(column)
        if isinstance(value, dict):
            found |= value
        elif value is not None:
            found[argument] = value
    return found


def per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Statistics of RGB for another number of channels: their mean for one, cycled for more (as timm does weights)."""
    if channels == len(values):
        return values
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[i % len(values)] for i in range(channels))
