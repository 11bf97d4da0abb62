"""The options that each group of a configuration can have, and how Hydra is told of them.

A group file begins with ``/schema/<group>/<kind>@_here_``, which is what types it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from tlx.components.registry import of_group
from tlx.config.hardware import Hardware
from tlx.config.reuse import Reuse
from tlx.config.schema import GROUPS, Trial
from tlx.config.strategy import Strategy
from tlx.config.tracking import Tracking

_ONE_KIND: dict[str, dict[str, type]] = {
    "strategy": {"phased": Strategy},
    "hardware": {"machine": Hardware},
    "reuse": {"store": Reuse},
    "tracking": {"record": Tracking},
}


def options(group: str) -> dict[str, type]:
    """The dataclasses of a group's options, by kind; empty where there is no such group."""
    return dict(_ONE_KIND[group]) if group in _ONE_KIND else {kind: one.config for kind, one in of_group(group).items()}


def kinds() -> Iterator[type]:
    """Every class of options, wherever it is nested."""
    waiting: list[Any] = [Trial, *(kind for group in GROUPS for kind in options(group).values())]
    seen: set[Any] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen or not (isinstance(kind, type) and is_dataclass(kind)):
            continue
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            waiting += [hint, *get_args(hint), *(inner for part in get_args(hint) for inner in get_args(part))]


def store_schema() -> None:
    """Put the schema into Hydra's ConfigStore (again is harmless, and quick)."""
    from hydra.core.config_store import ConfigStore  # takes a while, and who only reads records needs none

    store = ConfigStore.instance()
    if "schema.yaml" in store.repo:
        return
    store.store(name="schema", node=Trial)
    for group in GROUPS:
        for kind, node in options(group).items():
            store.store(group=f"schema/{group}", name=kind, node=node)
