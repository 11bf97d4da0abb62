"""How parts of one's own become known: ``tlx.register.callback("mine", config=Options)``, as a decorator or a call.

A part written here stands beside those that tlx brings: its options are checked, completed, explained and swept as
theirs, and it is in a trial's identity where it is chosen; but for loggers, which decide no number.

Example:
    >>> @dataclass
    ... class Options:
    ...     rounds: int = option(3, "how many")
    >>> @tlx.register.callback("patience", config=Options, capabilities={"resumable"})
    ... class Patience(Callback):
    ...     def __init__(self, options: Options) -> None: ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

from tlx.components.registry import register

Part = TypeVar("Part")


def _of_group(
    group: str,
    kind: str,
    *,
    config: type,
    load: str = "",
    numerics: int = 1,
    capabilities: Collection[str] = (),
    packages: Mapping[str, str] | None = None,
    **functions: str | Callable[..., Any],
) -> Callable[[Part], Part]:
    """Register a part; with ``load`` by where it is, else as the decorator of what makes it from its options.

    Args:
        group: What it is a kind of.
        kind: The name that chooses it.
        config: The dataclass of its options, each with its help.
        load: ``package.module:name`` of what makes it; nothing is imported before it is used.
        numerics: The version of the bits that it gives: whoever changes them raises it.
        capabilities: What it can do (:data:`tlx.components.registry.CAPABILITIES`); the rest is not done.
        packages: What it imports beside tlx's own dependencies, by name, each with what to ``pip install`` for it.
        functions: Others that its group has, such as a dataset's ``fingerprint``: each as ``load``, or itself.

    Raises:
        ValueError: The name is taken, the options are no dataclass, or there is no such capability.
    """

    def decorate(part: Part) -> Part:
        made: Any = part
        where = load or _where(made)
        others = {name: one if isinstance(one, str) else _where(one) for name, one in functions.items()}
        more: dict[str, Any] = {"numerics": numerics, "capabilities": capabilities, "packages": packages, **others}
        register(group, kind, config, where, **more)
        return part

    if load:
        decorate(None)
        return lambda part: part
    return decorate


def _where(made: Any) -> str:
    return f"{made.__module__}:{made.__qualname__}"


backbone = partial(_of_group, "backbone")
callback = partial(_of_group, "callback")
controller = partial(_of_group, "controller")
launcher = partial(_of_group, "launcher")
loss = partial(_of_group, "loss")
metric = partial(_of_group, "metric")
dataset = partial(_of_group, "dataset")
logger = partial(_of_group, "logger")
optimizer = partial(_of_group, "optimizer")
regulariser = partial(_of_group, "regulariser")
task = partial(_of_group, "task")
