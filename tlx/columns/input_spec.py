"""What a backbone expects to be fed: its columns prepare their values by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import torch

from tlx.config.backbone import Input
from tlx.config.errors import ConfigError, ConfigIssue


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

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(pixel / 255 - mean) / std`` [..., channels, height, width] in floats of 32 bits, where the pixels are."""
        mean, std = _constants(self.mean, self.std, pixels.device)
        return ((pixels / 255 - mean) / std).contiguous()

    def as_floats(self, images: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """A batch as the backbone reads it: bytes are normalised, floats have been.

        Args:
            images: [images, channels, height, width].
            dtype: Of the weights.
        """
        if images.dtype != torch.uint8:
            return images
        mean, std = _constants(self.mean, self.std, images.device)
        return images.float().div_(255).sub_(mean).div_(std).to(dtype)


@lru_cache(maxsize=32)
def _constants(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation [channels, 1, 1]: copied to a device once, as every copy waits for it."""
    first, second = (torch.tensor(one, dtype=torch.float32).view(-1, 1, 1).to(device) for one in (mean, std))
    return first, second


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


def arguments(
    reads: Mapping[str, str],
    inputs: Mapping[str, Any],
    takes: Mapping[str, InputSpec] | None = None,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    """The arguments of a backbone's forward, from the columns that it reads.

    Args:
        reads: Argument to column.
        inputs: By column: a tensor, or tensors that have arguments of their own, as a text's ids and mask.
        takes: By argument, what the backbone expects: images that are bytes are normalised by it.
        dtype: Of the backbone's weights.
    """
    found: dict[str, Any] = {}
    for argument, column in reads.items():
        value = inputs.get(column)
        if isinstance(value, dict):
            found |= value
        elif value is not None:
            spec = takes.get(argument) if takes is not None else None
            found[argument] = spec.as_floats(value, dtype) if isinstance(spec, ImageSpec) else value
    return found


def per_channel(
    given: Sequence[float], own: Sequence[float], channels: int, of_train: Sequence[float]
) -> tuple[float, ...]:
    """Means or deviations of the channels that a backbone reads.

    Args:
        given: As somebody has set them; empty: nobody has.
        own: Of the channels that the backbone was trained with.
        channels: That it reads now.
        of_train: Of the channels of train, where these are not three; empty: nothing is known of them.

    Returns:
        Those that are given or its own where there are as many; else those of train; before these are known, or where
        several are given for one channel, their mean for each.

    Raises:
        ConfigError: Several are given, and not as many as there are channels.
    """
    known = given or own
    if len(known) == channels:
        return tuple(known)
    if len(given) > 1 and channels > 1:
        message = f"{len(given)} values for {channels} channels; leave it out, to take those of train"
        raise ConfigError([ConfigIssue("backbone.input", message, list(given))])
    if len(given) < 2 and len(of_train) == channels:
        return tuple(of_train)
    return (sum(known) / len(known),) * channels


def not_taken(given: Input | None, specs: Mapping[str, InputSpec]) -> list[str]:
    """Say which means and deviations of one channel have given way to those of train.

    Args:
        given: As a configuration has it, be it its user's or its preset's; None: the backbone reads no images.
        specs: By column, what the backbone expects.
    """
    said = []
    for column, spec in specs.items():
        if given is None or not isinstance(spec, ImageSpec):
            continue
        for name, values, taken in (("mean", given.mean, spec.mean), ("std", given.std, spec.std)):
            if values and len(values) != len(taken) and set(taken) != set(values):
                what = f"backbone.input.{name}={list(values)} is of one channel, and those of train are taken"
                said.append(f"{column}: {what}; {len(taken)} values say it of each")
    return said
