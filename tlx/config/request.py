"""What was asked for, as a list of settings with their places: command line and experiment file alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf.errors import OmegaConfBaseException

from tlx.config import files, places
from tlx.config.errors import ConfigError, Problem
from tlx.config.overrides import parsed
from tlx.config.schema import EXPERIMENT, GROUPS
from tlx.files import foreign

SELECTABLE = (*GROUPS, EXPERIMENT)
NOTHING = (None, "", "null")  # ways to choose no option


@dataclass(frozen=True)
class Setting:
    """One value given to one dotted key; ``where`` is the file and line, or empty for the command line."""

    key: str
    value: Any
    where: str = ""
    adds: bool = False  # written +key=value or ++key=value
    forces: bool = False  # written ++key=value
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
        return None if setting is None or setting.value in NOTHING else str(setting.value)


def read(overrides: list[str]) -> Request:
    """Split overrides into choices and settings, and add those of the experiment file they choose."""
    request = Request({}, [], [], list(overrides))
    typed: list[Setting] = []
    for text in overrides:
        try:
            override = parsed(text)
        except ConfigError as error:
            request.problems += error.problems
            continue
        if override.is_hydra_override():
            continue
        fault = _fault(override)
        if fault:
            request.problems.append(Problem(override.get_key_element(), fault, text.partition("=")[2]))
            continue
        setting = _setting(override)
        if setting.key in SELECTABLE:
            request.choices[setting.key] = setting
        else:
            typed.append(setting)
    _add_experiment(request)
    request.settings.extend(typed)
    return request


def _fault(override: Override) -> str:
    """What this tool cannot take of Hydra's grammar, in the place where it stands."""
    group = override.key_or_group in SELECTABLE
    if override.is_sweep_override():
        return "several values are a sweep; run: tlx sweep ..."
    if override.package is not None:
        return f"a choice cannot be put elsewhere; write {override.key_or_group}=..."
    if group and override.type in (OverrideType.ADD, OverrideType.FORCE_ADD):
        return f"every group has its place already; write {override.key_or_group}=..."
    if group and not isinstance(override.value(), (str, type(None))) and override.type != OverrideType.DEL:
        return f"one option is chosen from a group (tlx list {override.key_or_group})"
    return ""


def _setting(override: Override) -> Setting:
    adds = override.type in (OverrideType.ADD, OverrideType.FORCE_ADD)
    forces = override.type == OverrideType.FORCE_ADD
    deletes = override.type == OverrideType.DEL
    return Setting(override.key_or_group, override.value(), adds=adds, forces=forces, deletes=deletes)


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


def read_file(path: Path, *, header: bool = True) -> tuple[list[Setting], list[Setting], list[Problem]]:
    """The group choices and settings of an experiment file, each with its line."""
    shown = files.shown(path)
    try:
        text, root = files.document(path)
    except (foreign.Unreadable, FileNotFoundError) as error:
        reason = str(error) if isinstance(error, foreign.Unreadable) else "is a link to nothing"
        return [], [], [Problem(shown, reason)]
    choices: list[Setting] = []
    settings: list[Setting] = []
    problems = _header(text, shown) if header else []
    if not isinstance(root, yaml.MappingNode):
        return choices, settings, [*problems, Problem(shown, "expected keys and values at the top")]
    for key, node in root.value:
        where = f"{shown}:{key.start_mark.line + 1}"
        if key.value == "defaults":
            found, faults = _choices(node, shown)
            choices.extend(found)
            problems.extend(faults)
        else:
            try:
                settings.extend(_leaves(str(key.value), node, where, shown))
            except (yaml.YAMLError, OmegaConfBaseException) as error:
                message = " ".join(str(error).split())
                problems.append(Problem(str(key.value), f"not readable as YAML: {message}", where=where))
    return choices, settings, problems


def group_settings(group: str, path: Path) -> list[Setting]:
    """The settings of a group's file, under their full keys, each with its line."""
    _, found, _ = read_file(path, header=False)
    return [replace(setting, key=f"{group}.{setting.key}") for setting in found]


def _header(text: str, shown: str) -> list[Problem]:
    """Hydra puts a file without this line below ``experiment``, where nothing reads it."""
    comments = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
    if any(comment.startswith("@package") and "_global_" in comment for comment in comments):
        return []
    return [Problem(shown, "an experiment begins with the line: # @package _global_")]


def _choices(node: yaml.Node, shown: str) -> tuple[list[Setting], list[Problem]]:
    found, problems = [], []
    for entry in node.value if isinstance(node, yaml.SequenceNode) else []:
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else []:
            words, where = str(key.value).split() or [""], f"{shown}:{key.start_mark.line + 1}"
            group = words[-1].lstrip("/")
            if "@" in group:
                continue
            if not isinstance(value, yaml.ScalarNode):
                message = f"one option is chosen from a group (tlx list {group})"
                problems.append(Problem(str(key.value), message, None, where))
                continue
            if words[0] != "override" and group in SELECTABLE:
                message = f"write: - override /{group}: {value.value}"
                problems.append(Problem(str(key.value), message, value.value, where))
            found.append(Setting(group, value.value, where=where))
    return found, problems


def _leaves(key: str, node: yaml.Node, where: str, shown: str) -> list[Setting]:
    """Mappings are walked down; a list or scalar is one setting."""
    if isinstance(node, yaml.MappingNode) and node.value and not key.startswith(("study.", "search.")):
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
