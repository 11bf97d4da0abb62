"""What a backbone expects to be fed; the data room prepares its examples by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class ImageSpec:
    """A float tensor [channels, height, width], ``(pixel / 255 - mean) / std``."""

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

    tokenizer: Any
    max_length: int
    pad_id: int


InputSpec = ImageSpec | TextSpec


def example(spec: InputSpec, count: int, tokens: int | None = None) -> dict[str, Any]:
    """Empty inputs of the right shapes for ``count`` examples, for passes that only look at shapes.

    Texts have ``tokens`` tokens; None: as many as the backbone reads.
    """
    if isinstance(spec, ImageSpec):
        return {"x": torch.empty(count, spec.channels, spec.height, spec.width)}
    ids = torch.zeros(count, tokens or spec.max_length, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Statistics of RGB for another number of channels: their mean for one, cycled for more (as timm does weights)."""
    if channels == len(values):
        return values
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[i % len(values)] for i in range(channels))
