"""Plugins: modules that register parts, of installed packages and of the project that the work is done in.

An installed package names its modules as entry points, ``[project.entry-points."tlx.plugins"]``. A project lists them
in the nearest ``pyproject.toml`` at or above the working directory, whose folder then goes on the import path::

    [tool.tlx]
    plugins = ["mylab.parts"]

A project that was merely unpacked is not trusted for lying there: its plugins are loaded once its user has said so
(:mod:`tlx.components.trust`).
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tlx.components import registry, source, trust
from tlx.components.import_fault import reason
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.files import foreign

GROUP, KEY, FILE = "tlx.plugins", "tool.tlx.plugins", "pyproject.toml"
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_LARGEST = 4 << 20  # bytes of a pyproject.toml


@dataclass(frozen=True)
class Plugin:
    """A module that registers parts.

    Args:
        module: What is imported.
        package: The installed package that names it, such as ``mylab``; empty for a project's own.
        version: Of that package.
        project: The folder of the project that lists it; None for an installed package.
    """

    module: str
    package: str = ""
    version: str = ""
    project: Path | None = None

    @property
    def origin(self) -> str:
        """Where it is from, for messages."""
        return str(self.project / FILE) if self.project is not None else f"{self.package} {self.version}"

    @property
    def parts(self) -> list[registry.Component]:
        """What it has registered."""
        top = _top(self.module)
        return [one for one in registry.every() if top in one.packages_of_code]


@dataclass(frozen=True)
class Project:
    """A folder whose ``pyproject.toml`` lists plugins."""

    folder: Path
    modules: tuple[str, ...]


def load() -> list[Plugin]:
    """Import every plugin that is not imported yet, so that their parts are registered.

    Returns:
        All plugins, those of installed packages first.

    Raises:
        ConfigError: The project is not trusted, its list cannot be read, or a plugin cannot be imported.
    """
    mine = project()
    found = {one.module: one for one in [*_of(mine), *installed()]}  # what is installed needs no other word
    waiting = [one for one in found.values() if one.module not in _LOADED]
    if mine is not None and any(one.project for one in waiting):
        trust.require(mine.folder, mine.modules)
        if str(mine.folder) not in sys.path:
            sys.path.append(str(mine.folder))  # last: no module of it takes the place of a library
    for one in waiting:
        _LOADED.add(one.module)  # before it is imported, as it may compose
        try:
            _import(one)
            source.files(_top(one.module))  # the code that was imported is what counts from now on
        except BaseException:
            _LOADED.discard(one.module)
            raise
    if mine is not None:
        _refuse_other_copies(mine)
    return list(found.values())


@cache
def installed() -> tuple[Plugin, ...]:
    """The plugins of installed packages."""
    found = entry_points(group=GROUP)
    named = [(one.value.partition(":")[0], one.dist) for one in found]
    return tuple(Plugin(module, dist.name if dist else "", dist.version if dist else "") for module, dist in named)


def project() -> Project | None:
    """The project around the working directory; None where no ``pyproject.toml`` is, or the nearest lists no plugin.

    Raises:
        ConfigError: The file cannot be read, or says something else than a list of modules.
    """
    here = Path.cwd()
    file = next((folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file()), None)
    if file is None:
        return None
    seen = os.stat(file)
    return _read(file, seen.st_mtime_ns, seen.st_size)


@cache
def _read(file: Path, changed: int, size: int) -> Project | None:
    try:
        found = tomllib.loads(foreign.text(file, _LARGEST, links=True)).get("tool", {}).get("tlx", {})
    except (foreign.Unreadable, FileNotFoundError, tomllib.TOMLDecodeError, AttributeError) as error:
        raise ConfigError([ConfigIssue(str(file), f"cannot be read: {error}")]) from None
    problems = list(_problems(found, str(file)))
    if problems:
        raise ConfigError(problems)
    modules = tuple(dict.fromkeys(found.get("plugins", [])))
    return Project(file.parent.resolve(), modules) if modules else None


def _problems(found: Any, file: str) -> Iterator[ConfigIssue]:
    if not isinstance(found, dict):
        yield ConfigIssue("tool.tlx", "expected a table with plugins", found, file)
        return
    for name in found.keys() - {"plugins"}:
        yield ConfigIssue(f"tool.tlx.{name}", f"unknown key{suggest(name, ['plugins'])}", found[name], file)
    modules = found.get("plugins", [])
    if not isinstance(modules, list):
        yield ConfigIssue(KEY, 'expected a list of modules, as ["mylab.parts"]', modules, file)
        return
    for name in modules:
        if not isinstance(name, str) or not _MODULE.fullmatch(name):
            yield ConfigIssue(KEY, 'expected a module as it is imported, such as "mylab.parts"', name, file)


def _of(mine: Project | None) -> list[Plugin]:
    return [Plugin(module, project=mine.folder) for module in mine.modules] if mine is not None else []


def _refuse_other_copies(mine: Project) -> None:
    """See that what the project lists is the project's own: of an installed copy, what is edited here would not run."""
    problems = []
    for module in mine.modules:
        top = sys.modules.get(_top(module))
        place = Path(next(iter(getattr(top, "__path__", [])), None) or getattr(top, "__file__", None) or mine.folder)
        if not place.resolve().is_relative_to(mine.folder) or source.is_installed(place):
            message = f"is imported from {place}, not from this project: uninstall that, pip install -e ., or rename it"
            problems.append(ConfigIssue(f"plugin {module}", message, where=str(mine.folder / FILE)))
    if problems:
        raise ConfigError(problems)


def _import(plugin: Plugin) -> None:
    """Import one; what a failed one has registered, and imported of itself, is forgotten."""
    before = set(sys.modules)
    try:
        with registry.undone_on_error():
            import_module(plugin.module)
    except (Exception, SystemExit) as error:  # the code of others may raise anything
        for name in [name for name in set(sys.modules) - before if _top(name) == _top(plugin.module)]:
            del sys.modules[name]
        message = reason(error)
        if isinstance(error, ModuleNotFoundError) and f"{plugin.module}.".startswith(f"{error.name}."):
            where = f"in {plugin.project}, nor among the installed packages" if plugin.project else "any more"
            message = f"there is no module {error.name!r} {where}"
        raise _refused(plugin, message) from error


def _top(module: str) -> str:
    return module.partition(".")[0]


def _refused(plugin: Plugin, message: str) -> ConfigError:
    return ConfigError([ConfigIssue(f"plugin {plugin.module}", message, where=plugin.origin)])


_LOADED: set[str] = set()
