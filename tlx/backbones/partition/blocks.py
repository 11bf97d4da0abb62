"""The blocks of any network, found without knowing its names.

A block list is a ``ModuleList`` or ``Sequential`` most of whose children are built alike; a list whose children hold
block lists of their own is a list of stages, and is entered. What lies between blocks forms runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from torch import nn

_MOST = 0.5


@dataclass
class Part:
    """Parameters that are never parted: a block, known by its path, or one module between blocks."""

    block: str
    names: list[str]


def parts(model: nn.Module, names: list[str]) -> list[Part]:
    """``names`` as blocks and as single modules between them, in order of registration."""
    prefixes = list(block_prefixes(model))
    found: dict[tuple[str, str], Part] = {}
    for name in names:
        block = next((prefix for prefix in prefixes if name.startswith(f"{prefix}.")), "")
        key = (block, "" if block else name.rpartition(".")[0])
        found.setdefault(key, Part(block, [])).names.append(name)
    return list(found.values())


def block_prefixes(module: nn.Module, path: str = "") -> Iterator[str]:
    """Paths of the blocks of the outermost block lists, in order of registration."""
    for name, child in module.named_children():
        yield from _within(child, f"{path}.{name}".lstrip("."))


def _within(module: nn.Module, path: str) -> Iterator[str]:
    return (
        _of_list(module, path) if isinstance(module, (nn.ModuleList, nn.Sequential)) else block_prefixes(module, path)
    )


def _of_list(children: nn.Module, path: str) -> Iterator[str]:
    bodies = [(f"{path}.{name}", child) for name, child in children.named_children() if _composite(child)]
    nested = {inner: list(_within(child, inner)) for inner, child in bodies}
    inside = any(nested.values())
    lists = all(isinstance(child, (nn.ModuleList, nn.Sequential)) for _, child in bodies)
    lone = len(bodies) == 1 and isinstance(children, nn.ModuleList) and _matrices(bodies[0][1]) > 1
    if _repeat(children, _built) and not (lists and inside):
        yield from (inner for inner, _ in bodies)
    elif inside and (len(bodies) > 1 or lone):
        for inner, _ in bodies:  # one without a list is a stage of one block
            yield from nested[inner] or [inner]
    elif lone or _repeat(children, type):
        yield from (inner for inner, _ in bodies)
    else:
        yield from (prefix for found in nested.values() for prefix in found)


def _composite(module: nn.Module) -> bool:
    """Is it made of parts, with parameters?"""
    return any(True for _ in module.children()) and any(True for _ in module.parameters())


def _matrices(module: nn.Module) -> int:
    """How many weights it has that are no vectors: a convolution and its norm layer have one, a block more."""
    return sum(parameter.ndim > 1 for parameter in module.parameters())


def _repeat(children: nn.Module, kind: Callable[[nn.Module], Hashable]) -> bool:
    """Has most of what holds parameters a twin of its kind, and is more than one layer?"""
    learned = [child for child in children.children() if any(True for _ in child.parameters())]
    kinds = Counter(kind(child) for child in learned if _composite(child) and _matrices(child) > 1)
    return sum(count for count in kinds.values() if count > 1) > _MOST * len(learned)


def _built(module: nn.Module) -> Hashable:
    shapes = sorted(tuple(parameter.shape) for parameter in module.parameters())
    return type(module), tuple(shapes)
