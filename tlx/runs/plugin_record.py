"""``plugins.json`` of a run folder, or of a model: the code of others that takes part, by package, file and hash."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tlx.components import plugins, registry, source
from tlx.components.parts import CODE, code, parts
from tlx.composition.timm_names import timm_architectures
from tlx.files import durable, foreign
from tlx.files.printable import printable

FILE = "plugins.json"
TIMM = "backbone.name="  # before an architecture of timm's register
_LARGEST = 4 << 20
_PLAIN = re.compile(r"[\w.+!-]*")  # modules, names of packages (PEP 508) and versions (PEP 440)


@dataclass(frozen=True)
class RecordedPlugin:
    """A package of code that takes part.

    Args:
        module: The top-level package or module.
        parts: What it brings, each as ``backbone=mine``.
        package: The installed package; empty where a project brings it.
        version: Of that package.
        project: The folder of the project, where it was.
        files: A hash of each of its Python files, by its name.
    """

    module: str
    parts: list[str]
    package: str = ""
    version: str = ""
    project: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def remedy(self) -> str:
        """What to do where it is missing."""
        if self.package:
            return f"pip install {self.package}=={self.version}"
        if self.project:
            return f"it was of the project {self.project}: work in it, or list it in [tool.tlx] plugins of your own"
        return f"it was registered by {self.module}, which no project lists: import that first"


def plugins_of(config: Any) -> list[RecordedPlugin]:
    """What takes part in a trial beside tlx's own code.

    Args:
        config: A trial.
    """
    known = {one.module.partition(".")[0]: one for one in plugins.load()}
    brought: dict[str, list[str]] = {top: [] for top in code(config)}
    for _, part in parts(config):
        for top in part.packages_of_code:
            brought[top].append(f"{part.group}={part.kind}")
    found = []
    for top, names in brought.items():
        one = known.get(top, plugins.Plugin(top))
        named = sorted(set(names)) or [f"{TIMM}{config.backbone.name}"]  # of timm's register
        found.append(RecordedPlugin(top, named, one.package, one.version, str(one.project or ""), source.files(top)))
    return found


def write(folder: Path, config: Any) -> None:
    """Write the record of a trial that has parts of others; without any there is no file."""
    if found := plugins_of(config):
        durable.write(folder / FILE, json.dumps([asdict(one) for one in found], indent=1))


def read(folder: Path) -> list[RecordedPlugin]:
    """The record in a folder; empty where there is none.

    Raises:
        foreign.Unreadable: It is not what was written.
    """
    try:
        found = foreign.json_file(folder / FILE, list[RecordedPlugin], _LARGEST)
    except FileNotFoundError:
        return []
    for one in found:  # what they say is typed into a shell
        if not all(_PLAIN.fullmatch(word) for word in (one["module"], one.get("package", ""), one.get("version", ""))):
            raise foreign.Unreadable("names a module, a package or a version that is none")
    return [RecordedPlugin(**one) for one in found]


def missing(folder: Path) -> list[str]:
    """The plugins of a run that are not here, each with what it brings and what to do.

    Raises:
        foreign.Unreadable: The record is not what was written.
    """
    known = {f"{one.group}={one.kind}" for one in registry.every()}
    gone = [one for one in read(folder) if not known.issuperset(name for name in one.parts if not _of_timm(name))]
    return [printable(f"the plugin {one.module} ({', '.join(one.parts)}) is not here: {one.remedy}") for one in gone]


def _of_timm(part: str) -> bool:
    """Is it an architecture that timm knows here, or will once it is imported?"""
    name = part.removeprefix(TIMM)
    return name != part and name.partition(".")[0] in timm_architectures()


def changed_files(folder: Path) -> list[str]:
    """The files of plugins that are others now than when a run was recorded, each as ``mylab/parts.py``.

    Raises:
        foreign.Unreadable: The record is not what was written.
    """
    found = []
    for one in read(folder):
        now = source.files(one.module) if one.module in _loaded() else {}
        names = sorted({*one.files, *now}) if now else []
        found += [f"{one.module}/{name}" for name in names if one.files.get(name) != now.get(name)]
    return found


def _loaded() -> set[str]:
    return {one.module.partition(".")[0] for one in plugins.load()}


def package_of(fingerprint: str) -> str:
    """The package that a fingerprint is of the code of; empty for another fingerprint."""
    return fingerprint.removeprefix(CODE) if fingerprint.startswith(CODE) else ""
