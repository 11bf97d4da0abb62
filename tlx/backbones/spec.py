"""What a backbone expects to be fed; the data room prepares its examples by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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


Spec = ImageSpec | TextSpec


def per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Statistics of RGB for another number of channels: their mean for one, cycled for more (as timm does weights)."""
    if channels == len(values):
        return values
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[i % len(values)] for i in range(channels))
