"""The register of components: by group (backbone, dataset, task, controller, ...) and kind."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

from tlx.components.import_fault import reason
from tlx.config.errors import ConfigError, ConfigIssue, suggest

CAPABILITIES = {
    "trainable": "it has weights of its own",
    "cacheable": "what runs before the first trained tensor may be kept: it is the same whenever it is computed",
    "batchable_head": "trials that differ in their heads alone may be trained side by side",
    "resumable": "an interrupted trial goes on where it was: the state of all its parts is saved",
    "exportable": "a trained model can be used without tlx",
    "shardable": "each process may hold a part of the network (FSDP)",
    "compilable": "the network may be compiled: nothing watches it by hooks",
}


@dataclass(frozen=True)
class Component:
    """A part that a configuration chooses by ``kind``.

    Args:
        group: What it is a kind of.
        kind: The word that chooses it.
        config: The dataclass of its options.
        functions: What it does, each as ``package.module:name``; ``load`` makes it from its options.
        numerics: The version of the bits that it gives; whoever changes them raises it.
        capabilities: Of :data:`CAPABILITIES`, those that it has. What is not named is not done.
        packages: What it imports beside tlx's own dependencies, each with what to install for it.
    """

    group: str
    kind: str
    config: type
    functions: Mapping[str, str]
    numerics: int
    capabilities: frozenset[str]
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """Where its code is."""
        return self.functions["load"].partition(":")[0]

    @property
    def packages_of_code(self) -> list[str]:
        """The top-level packages that its code and its options are in, but for tlx."""
        modules = [where.partition(":")[0] for where in self.functions.values()] + [self.config.__module__]
        return sorted({module.partition(".")[0] for module in modules} - {"tlx"})

    def function(self, role: str = "load") -> Any:
        """Import one of its functions.

        Raises:
            ConfigError: It is the code of others, and cannot be imported, or has nothing of this name.
        """
        module, _, name = self.functions[role].partition(":")
        try:
            return attrgetter(name)(import_module(module))
        except Exception as error:
            if module.partition(".")[0] == "tlx":
                raise
            fault = reason(error)
            if isinstance(error, AttributeError) and module in sys.modules:
                known = [one for one, value in vars(sys.modules[module]).items() if callable(value)]
                fault = f"{module} has no {name}{suggest(name, known)}"
            raise ConfigError([ConfigIssue(f"{self.group}={self.kind}", fault, self.functions[role])]) from error


class UnknownComponentError(LookupError):
    """There is no component of this name."""


_NAMED_BY_OPTIONS = ("backbone", "dataset", "task")
_ALONE = ("callback", "loss", "metric")
State = tuple[tuple[str, str, type], ...]
_COMPONENTS: dict[str, dict[str, Component]] = {}


def register(
    group: str,
    kind: str,
    config: type,
    load: str,
    *,
    numerics: int = 1,
    capabilities: Collection[str] = (),
    packages: Mapping[str, str] | None = None,
    **functions: str,
) -> None:
    """Make a component known; nothing of it is imported but the dataclass of its options.

    Raises:
        ValueError: The name is taken, the options are no dataclass, or its group has no such capability.
    """
    known = _COMPONENTS.setdefault(group, {})
    if kind in known and not (known[kind].module == load.partition(":")[0] == "__main__"):  # a cell that is run again
        raise ValueError(f"{group}={kind} is there already: {known[kind].functions['load']}")
    if not is_dataclass(config):
        raise ValueError(f"the options of {group}={kind} are no dataclass: {config!r}")
    said = next((one.default for one in fields(config) if one.name == "kind"), kind)
    if group in _NAMED_BY_OPTIONS and said != kind:
        raise ValueError(f"the options of {group}={kind} say kind={said!r}; give them kind: str = {kind!r}")
    if group == "launcher" and not {"n_jobs", "timeout"} <= {one.name for one in fields(config)}:
        raise ValueError(f"the options of launcher={kind} derive from tlx.orchestration.backends.launchers.Local")
    for name in capabilities:
        if name not in CAPABILITIES:
            raise ValueError(f"{group}={kind}: no capability {name!r}{suggest(name, CAPABILITIES)}")
    if group in _ALONE and "batchable_head" in capabilities:
        raise ValueError(f"{group}={kind}: heads side by side have no {group} of their own")
    every = {"load": load, **functions}
    known[kind] = Component(group, kind, config, every, numerics, frozenset(capabilities), dict(packages or {}))


def state() -> State:
    """Every component by name, with its options: what was made of all of them is old when this is another."""
    return tuple((one.group, one.kind, one.config) for known in _COMPONENTS.values() for one in known.values())


def every() -> Iterator[Component]:
    """Every component."""
    for known in _COMPONENTS.values():
        yield from known.values()


@contextmanager
def undone_on_error() -> Iterator[None]:
    """Forget what is registered inside, if an error ends it."""
    before = {group: dict(known) for group, known in _COMPONENTS.items()}
    try:
        yield
    except BaseException:
        _COMPONENTS.clear()
        _COMPONENTS.update(before)
        raise


def component(group: str, kind: str) -> Component:
    """Look a component up; raises :class:`UnknownComponentError` where there is none."""
    if kind not in (known := _COMPONENTS.get(group, {})):
        raise UnknownComponentError(f"no {group}={kind}{suggest(kind, known)}")
    return known[kind]


def of_group(group: str) -> Mapping[str, Component]:
    """The components of a group, by kind; empty for a group without any."""
    return _COMPONENTS.get(group, {})
