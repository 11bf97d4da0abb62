"""A batch: which examples, what a network reads of them, what it is to predict, and what else is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tlx._compat.devices import onto


@dataclass  # not frozen: Lightning sets what it converts to another precision
class Batch:
    """Examples that go through a network together; everything is keyed by the name of its column.

    Args:
        index: Numbers of the examples in their source [examples].
        inputs: What a network reads: a tensor, or tensors by argument, such as the ids and the mask of a text.
        targets: What is predicted.
        meta: What else is known: group, time, weight, id.
        kept: What a frozen part of the network gives for it, where that is read instead of computed.
    """

    index: Tensor
    inputs: dict[str, Any]
    targets: dict[str, Tensor] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    kept: list[list[Tensor]] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on a device."""
        if torch.device(device).type == self.index.device.type == "cpu" and self.kept is None:
            return self

        single = torch.device(device).type == "mps"  # which has no floats of 64 bits

        def move(tensor: Tensor) -> Tensor:
            tensor = tensor.float() if single and tensor.dtype == torch.float64 else tensor
            return tensor.to(device, non_blocking=True) if non_blocking else onto(tensor, device)

        return self.map(move)

    def pin_memory(self) -> Batch:
        """The batch where a GPU copies it from without anybody waiting; torch's loader calls this."""
        return self.map(lambda tensor: tensor.pin_memory())

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with every tensor changed."""
        return Batch(
            change(self.index),
            _mapped(self.inputs, change),
            _mapped(self.targets, change),
            _mapped(self.meta, change),
            _mapped(self.kept, change),
        )

    def without_kept(self) -> Batch:
        """The batch as a task sees it."""
        return self if self.kept is None else replace(self, kept=None)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of it but what is kept, by a name such as ``inputs.image``."""
        yield "index", self.index
        for part in ("inputs", "targets", "meta"):
            yield from _named(part, getattr(self, part))


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(one, change) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_mapped(one, change) for one in value)
    return value


def _named(path: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _named(f"{path}.{name}", one)
