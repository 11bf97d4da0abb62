"""What a backbone expects to be fed: its columns prepare their values by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch


class InputSpec(Protocol):
    """What a backbone expects of one column; for a column of one's own, a dataclass of one's own."""

    @property
    def kind(self) -> str:
        """Of the column that it is read from."""

    def example(self, count: int, tokens: int | None = None) -> Any:
        """Empty inputs of the right shapes for ``count`` examples, for passes that only look at shapes.

        Texts have ``tokens`` tokens; None: as many as the backbone reads.
        """


@dataclass(frozen=True)
class ImageSpec:
    """A float tensor [channels, height, width], ``(pixel / 255 - mean) / std``."""

    kind: ClassVar[str] = "image"
    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    crop: float = 1.0  # the share of the resized image kept by the centre crop

    def example(self, count: int, tokens: int | None = None) -> torch.Tensor:
        """[count, channels, height, width]."""
        return torch.empty(count, self.channels, self.height, self.width)


@dataclass(frozen=True)
class TextSpec:
    """Token ids of at most ``max_length``, padded with ``pad_id``."""

    kind: ClassVar[str] = "text"
    tokenizer: Any
    max_length: int
    pad_id: int

    def example(self, count: int, tokens: int | None = None) -> dict[str, torch.Tensor]:
        """Ids and mask [count, tokens]."""
        ids = torch.zeros(count, tokens or self.max_length, dtype=torch.long)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@dataclass(frozen=True)
class ValueSpec:
    """One value for each example, as the column of that kind gives it: a number, or the number of a category.

    Args:
        kind: Of the column.
        column: Its name; None: that of the argument.
    """

    kind: str
    column: str | None = None

    def example(self, count: int, tokens: int | None = None) -> torch.Tensor:
        """[count]."""
        return torch.zeros(count, dtype=torch.long if self.kind == "category" else torch.float32)


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
