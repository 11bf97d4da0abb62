"""A stage, the unit of freezing, and what can be said of an ordered list of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

HEAD = "head"


@dataclass(frozen=True)
class Stage:
    """A named run of parameters of ``model``.

    ``tower`` is the parallel tower it belongs to, empty in a network of one tower. ``tied`` are further names, lying
    in this stage's modules, of tensors that belong to an earlier stage, as a language model's output embedding does.
    """

    name: str
    model: nn.Module
    names: tuple[str, ...]
    tower: str = ""
    tied: tuple[str, ...] = ()

    def parameters(self) -> list[nn.Parameter]:
        """The stage's own parameters, in the order of ``names``."""
        return [self.model.get_parameter(name) for name in self.names]  # named_parameters walks all of it

    @property
    def count(self) -> int:
        """How many numbers the stage holds."""
        return sum(parameter.numel() for parameter in self.parameters())


def verify(model: nn.Module, cut: Sequence[Stage]) -> None:
    """Raise :class:`ValueError` unless the stages hold every parameter exactly once, by identity."""
    held = [id(parameter) for stage in cut for parameter in stage.parameters()]
    if len(held) != len(set(held)):
        raise ValueError("a parameter lies in two stages")
    if set(held) != {id(parameter) for parameter in model.parameters()}:
        raise ValueError("a parameter lies in no stage")


def table(cut: Sequence[Stage]) -> list[dict[str, Any]]:
    """One row per stage: its name, tower, first and last parameter, number of tensors and of numbers, share of all."""
    counts = [stage.count for stage in cut]
    total = sum(counts) or 1
    return [
        {
            "stage": stage.name,
            "tower": stage.tower,
            "first": stage.names[0] if stage.names else "",
            "last": stage.names[-1] if stage.names else "",
            "tensors": len(stage.names),
            "count": count,
            "share": count / total,
        }
        for stage, count in zip(cut, counts, strict=True)
    ]


def digest(cut: Sequence[Stage]) -> str:
    """A sha256 of names, towers, parameters, ties and shapes: equal wherever the same network is cut alike."""
    rows = [
        [stage.name, stage.tower, stage.names, stage.tied, [list(parameter.shape) for parameter in stage.parameters()]]
        for stage in cut
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def outlet(model: nn.Module, cut: Stage) -> str:
    """The path of the module a stage's output comes out of: the largest one around its last parameter that is all its.

    A stage such as a downsampling with the first block after it ends in that block.
    """
    own = {id(parameter) for parameter in cut.parameters()}
    path = cut.names[-1].rpartition(".")[0]
    while path:
        above = path.rpartition(".")[0]
        if not above or not all(id(parameter) in own for parameter in model.get_submodule(above).parameters()):
            return path
        path = above
    return path
