"""What was asked for, as a list of settings with their places: command line and experiment file alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from tlx.config import places
from tlx.config.errors import Problem
from tlx.config.schema import EXPERIMENT, GROUPS

SELECTABLE = (*GROUPS, EXPERIMENT)


@dataclass(frozen=True)
class Setting:
    """One value given to one dotted key; ``where`` is the file and line, or empty for the command line."""

    key: str
    value: Any
    where: str = ""
    adds: bool = False  # written +key=value
    deletes: bool = False  # written ~key


@dataclass
class Request:
    """Group choices and settings, in the order in which they apply."""

    choices: dict[str, Setting]
    settings: list[Setting]
    problems: list[Problem]
    overrides: list[str]  # the command line, as given

    def chosen(self, group: str) -> str | None:
        """The option asked for in ``group``, if any."""
        setting = self.choices.get(group)
        return None if setting is None else str(setting.value)


def read(overrides: list[str]) -> Request:
    """Split overrides into choices and settings, and add those of the experiment file they choose."""
    request = Request({}, [], [], list(overrides))
    typed: list[Setting] = []
    for text in overrides:
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException as error:
            request.problems.append(Problem(text, f"not an override: {str(error).splitlines()[0]}; write key=value"))
            continue
        if override.is_hydra_override():
            continue
        setting = _setting(override)
        if setting.key in SELECTABLE:
            request.choices[setting.key] = setting
        else:
            typed.append(setting)
    _add_experiment(request)
    request.settings.extend(typed)
    return request


def _setting(override: Override) -> Setting:
    key = override.key_or_group
    adds = override.type in (OverrideType.ADD, OverrideType.FORCE_ADD)
    deletes = override.type == OverrideType.DEL
    value = override.value() if not override.is_sweep_override() else override.get_value_element_as_str()
    return Setting(key, value, adds=adds, deletes=deletes)


def _add_experiment(request: Request) -> None:
    chosen = request.chosen(EXPERIMENT)
    path = places.find(EXPERIMENT, chosen) if chosen else None
    if path is None:
        return
    choices, settings, problems = read_file(path)
    request.problems.extend(problems)
    for setting in choices:
        request.choices.setdefault(setting.key, setting)
    request.settings.extend(settings)


def read_file(path: Path) -> tuple[list[Setting], list[Setting], list[Problem]]:
    """The group choices and settings of an experiment file, each with its line."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else Path(path.name)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = " ".join(str(error).split())
        return [], [], [Problem(str(shown), f"not readable as YAML: {message}")]
    choices: list[Setting] = []
    settings: list[Setting] = []
    if not isinstance(root, yaml.MappingNode):
        return choices, settings, []
    for key, node in root.value:
        where = f"{shown}:{key.start_mark.line + 1}"
        if key.value == "defaults":
            choices.extend(_choices(node, shown))
        else:
            settings.extend(_leaves(str(key.value), node, where, shown))
    return choices, settings, []


def _choices(node: yaml.Node, shown: Path) -> list[Setting]:
    found = []
    for entry in node.value if isinstance(node, yaml.SequenceNode) else []:
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else []:
            group = str(key.value).removeprefix("override ").strip().lstrip("/")
            if "@" not in group:
                found.append(Setting(group, value.value, where=f"{shown}:{key.start_mark.line + 1}"))
    return found


def _leaves(key: str, node: yaml.Node, where: str, shown: Path) -> list[Setting]:
    """Mappings are walked down; a list or scalar is one setting."""
    if isinstance(node, yaml.MappingNode) and node.value and not key.startswith("study."):
        found = []
        for inner, value in node.value:
            place = f"{shown}:{inner.start_mark.line + 1}"
            found.extend(_leaves(f"{key}.{inner.value}", value, place, shown))
        return found
    return [Setting(key, _value(node), where=where)]


def _value(node: yaml.Node) -> Any:
    from omegaconf import OmegaConf

    text = yaml.serialize(node)  # OmegaConf's own loader: 1e-3 is a number there, as in Hydra
    loaded = OmegaConf.create(f"value:\n{_indent(text)}")
    return OmegaConf.to_container(loaded)["value"]  # type: ignore[index,call-overload]


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.removesuffix("...\n").splitlines())
