"""A value on its way to a process of a trial, where it is unpickled once the plugins that it is made of are loaded."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from tlx.components import plugins, source
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.runs import code

T = TypeVar("T")


def _passed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables a trial reads."""
    return {name: value for name, value in environment.items() if name.startswith(("TLX_", "HF_"))}


def _digests() -> dict[str, str]:
    """What the code of the plugins is, as this process has imported it."""
    return {one.module: source.digest(one.module.partition(".")[0]) for one in plugins.load()}


@dataclass
class Pickled(Generic[T]):
    """A value, and what its process has to be like.

    Example:
        >>> Process(target=run, args=(Pickled.of(work),))
        >>> def run(sent): work = sent.open()
    """

    content: bytes
    working_directory: Path = field(default_factory=Path.cwd)  # paths in a configuration may be relative
    environment: dict[str, str] = field(default_factory=lambda: _passed(os.environ))
    states: dict[str, Any] = field(default_factory=code.states)  # of the user's project and tlx
    plugins: dict[str, str] = field(default_factory=_digests)

    @classmethod
    def of(cls, value: T) -> Pickled[T]:
        """Pickle a value."""
        return cls(pickle.dumps(value))

    def open(self) -> T:
        """In the process itself: be where the command is, load the plugins, and unpickle the value.

        Raises:
            ConfigError: A plugin cannot be loaded, or its code is another than where the value is from.
        """
        os.chdir(self.working_directory)
        for name in _passed(os.environ).keys() - self.environment.keys():
            del os.environ[name]
        os.environ.update(self.environment)
        code.remember(self.states)
        found = _digests()
        changed = [module for module, digest in self.plugins.items() if found.get(module) != digest]
        if changed:
            message = "its code has changed since the command began: give the command again"
            raise ConfigError([ConfigIssue(f"plugin {module}", message) for module in changed])
        return cast(T, pickle.loads(self.content))
