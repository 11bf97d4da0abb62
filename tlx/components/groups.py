"""The options that each group of a configuration can have, and how Hydra is told of them.

A group file begins with ``/schema/<group>/<kind>@_here_``, which is what types it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, fields, is_dataclass, make_dataclass
from functools import lru_cache
from typing import Any, Optional, get_args, get_type_hints

from tlx.components.registry import Component, State, of_group, state
from tlx.config.fields import CHOICES, HELP, IDENTITY, NEUTRAL, option
from tlx.config.hardware import Hardware
from tlx.config.reuse import Reuse
from tlx.config.schema import GROUPS, Trial
from tlx.config.strategy import Strategy
from tlx.config.task import Task
from tlx.config.tracking import Tracking

_ONE_KIND: dict[str, dict[str, type]] = {
    "hardware": {"machine": Hardware},
    "reuse": {"store": Reuse},
    "tracking": {"record": Tracking},
}


def options(group: str) -> dict[str, type]:
    """The dataclasses of a group's options, by kind; empty where there is no such group."""
    if group == "task":
        return dict(_tasks(state()))
    if group == "strategy":
        return {"phased": _strategy(state())}
    return dict(_ONE_KIND[group]) if group in _ONE_KIND else {kind: one.config for kind, one in of_group(group).items()}


@lru_cache(1)
def _tasks(_state: State) -> dict[str, type]:
    """The options of tasks, with an optional part for each metric that is registered."""
    name, metrics, field = _by_name(Task, "metrics", "metric")
    _keep(metrics)
    made = {}
    for kind, one in of_group("task").items():
        parts = [(name, metrics, field), *_loss(one.config)]
        made[kind] = _keep(make_dataclass(class_name(one.config), parts, bases=(one.config,)))
    return made


def class_name(kind: type) -> str:
    """What a class of options is called among all: those of plugins may have the names of ours, or of each other's."""
    if kind.__module__.startswith("tlx."):
        return kind.__name__
    return f"{kind.__module__}.{kind.__qualname__}".replace(".", "_").replace("<locals>", "locals")


def _loss(task: type) -> list[tuple[str, type, Any]]:
    """The field of a task's loss with an optional part for each loss of somebody's own; none where there are none."""
    own = of_group("loss")
    usual = next((one for one in fields(task) if one.name == "loss"), None)
    if not own or usual is None:
        return []
    parts = [(kind, *_optional(one)) for kind, one in own.items()]
    base = get_type_hints(task)["loss"]
    kind = _keep(make_dataclass(f"{base.__name__}Of{class_name(task)}", parts, bases=(base,)))
    more = {"neutral": kind()} if NEUTRAL in usual.metadata else {}
    return [("loss", kind, option(help=usual.metadata[HELP], factory=kind, **more))]


@lru_cache(1)
def _strategy(_state: State) -> type[Strategy]:
    """The options of a strategy, whose regulariser and controller may be somebody's own, with options of its own."""
    changed = [_kinds_of(group) for group in ("regulariser", "controller")]
    more = [one for one in changed if one is not None]
    return _keep(make_dataclass("ComposedStrategy", more, bases=(Strategy,))) if more else Strategy


def _kinds_of(group: str) -> tuple[str, Any, Any] | None:
    """The field of a part of strategies with every kind that is registered; None where all are tlx's."""
    usual = next(one for one in fields(Strategy) if one.name == group)
    (base,) = (one for one in get_args(get_type_hints(Strategy)[group]) if one is not type(None))
    kind = next(one for one in fields(base) if one.name == "kind")
    own = [one for name, one in of_group(group).items() if name not in kind.metadata[CHOICES]]
    if not own:
        return None
    choices = (*kind.metadata[CHOICES], *(one.kind for one in own))
    wider = field(default=kind.default, metadata={**kind.metadata, CHOICES: choices})
    parts = [("kind", str, wider), *((one.kind, *_optional(one)) for one in own if one.config is not base)]
    made = _keep(make_dataclass(f"Composed{base.__name__}", parts, bases=(base,)))
    return group, Optional[made], field(default=None, metadata=usual.metadata)  # noqa: UP045


def _optional(one: Component) -> tuple[Any, Any]:
    """Type and default of a part that may be chosen by its name."""
    return Optional[one.config], option(None, (one.config.__doc__ or "").strip().replace("``", ""), neutral=None)  # noqa: UP045


def _keep(made: type) -> type:
    """Have a class found by its name, so that what is made of it can be sent to other processes."""
    made.__module__ = __name__
    _MADE[made.__name__] = made
    return made


def trial_schema() -> type[Trial]:
    """The class of a trial's configuration, with an optional part for each callback and logger that is registered."""
    return _trial_schema(state())


@lru_cache(1)
def _trial_schema(_state: State) -> type[Trial]:
    parts = [_by_name(Trial, "callbacks", "callback"), _by_name(Trial, "loggers", "logger")]
    for _, kind, _ in parts:
        _keep(kind)
    return _keep(make_dataclass("ComposedTrial", parts, bases=(Trial,)))


def _by_name(owner: type, key: str, group: str) -> tuple[str, type, Any]:
    """A field of a class, whose own class has an optional part for each component of a group."""
    named = [(kind, *_optional(one)) for kind, one in of_group(group).items()]
    kind = make_dataclass(key.capitalize(), named)
    said = next(one.metadata for one in fields(owner) if one.name == key)
    more = {"runtime_only": True} if not said.get(IDENTITY, True) else {"neutral": kind()}
    return key, kind, option(help=said[HELP], factory=kind, **more)


_MADE: dict[str, type] = {}


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        trial_schema()
        options("task")
        options("strategy")
        if name in _MADE:
            return _MADE[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def kinds() -> Iterator[type]:
    """Every class of options, wherever it is nested."""
    waiting: list[Any] = [trial_schema(), *(kind for group in GROUPS for kind in options(group).values())]
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
    if _MADE.get("stored") is trial_schema():
        return
    _MADE["stored"] = trial_schema()
    store.store(name="schema", node=trial_schema())
    for group in GROUPS:
        for kind, node in options(group).items():
            store.store(group=f"schema/{group}", name=kind, node=node)
