"""What was asked for, as a list of settings with their places: command line and experiment file alike."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf.errors import OmegaConfBaseException

from tlx.composition import defaults, files, hydra_words, search_path
from tlx.composition.overrides import parsed
from tlx.config.errors import ConfigError, ConfigIssue
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
    """What was asked for: group choices and settings, each in the order in which they apply."""

    choices: dict[str, Setting]
    settings: list[Setting]
    problems: list[ConfigIssue]

    def chosen(self, group: str) -> str | None:
        """The option asked for in ``group``, if any."""
        setting = self.choices.get(group)
        return None if setting is None or setting.value in NOTHING else str(setting.value)

    @property
    def of_hydra(self) -> list[ConfigIssue]:
        """What the files say of Hydra's own settings, but for the name of a launcher."""
        told = [one for one in self.problems if "hydra/" in one.key]
        named = [one for one in self.settings if one.where and one.key.split(".")[0] == "hydra"]
        return told + [ConfigIssue(one.key, hydra_words.in_file(one.key), one.value, one.where) for one in named]

    @property
    def is_sound(self) -> bool:
        """Can Hydra be asked to compose the choices?"""
        empty = [group for group, one in self.choices.items() if one.value in NOTHING and group != EXPERIMENT]
        return not self.problems and not empty

    @property
    def words(self) -> tuple[str, ...]:
        """The choices, as Hydra's overrides."""
        chosen = ((group, one) for group, one in self.choices.items() if one.value not in NOTHING)
        return tuple(f"{group}={one.value}" for group, one in chosen)


def read(overrides: Sequence[str], values: Mapping[str, Any] | None = None) -> Request:
    """Split overrides into choices and settings; ``values`` are laid over them."""
    request = Request({}, [], [])
    for text in overrides:
        try:
            override = parsed(text)
        except ConfigError as error:
            request.problems += error.problems
            continue
        fault = hydra_words.fault(override) or _fault(override)
        if fault:
            key = override.key_or_group if override.is_delete() else override.get_key_element()
            request.problems.append(ConfigIssue(key, fault, text.partition("=")[2] or None))
            continue
        _add(request, _setting(override))
    for key, value in (values or {}).items():
        _add(request, Setting(key, value))
    return request


def _add(request: Request, setting: Setting) -> None:
    if setting.key in SELECTABLE:
        request.choices.pop(setting.key, None)  # the last one counts, in its place
        request.choices[setting.key] = setting
    else:
        request.settings.append(setting)


def with_files(asked: Request) -> Request:
    """The same request, with what the experiment file that it chooses says, and the files that one starts from."""
    found = Request({}, [], [])
    if chosen := asked.chosen(EXPERIMENT):
        _add_experiment(found, chosen, [])
    choices = found.choices | asked.choices
    return Request(choices, [*found.settings, *asked.settings], [*found.problems, *asked.problems])


def _fault(override: Override) -> str:
    """What this tool cannot take of Hydra's grammar, in the place where it stands."""
    group = override.key_or_group in SELECTABLE
    if override.is_sweep_override():
        return "several values are a sweep; run: tlx sweep ..."
    if override.package is not None:
        return f"a choice cannot be put elsewhere; write {override.key_or_group}=..."
    if group and override.type in (OverrideType.ADD, OverrideType.FORCE_ADD):
        return f"every group has its place already; write {override.key_or_group}=..."
    if group and override.is_delete():
        return "a group cannot be taken away; choose another option"
    if group and not isinstance(override.value(), (str, type(None))):
        return f"one option is chosen from a group (tlx list {override.key_or_group})"
    return ""


def _setting(override: Override) -> Setting:
    adds = override.type in (OverrideType.ADD, OverrideType.FORCE_ADD)
    forces = override.type == OverrideType.FORCE_ADD
    return Setting(override.key_or_group, override.value(), adds=adds, forces=forces, deletes=override.is_delete())


def _add_experiment(found: Request, option: str, above: list[Path]) -> None:
    """Add what an experiment says after what the experiments say that it starts from."""
    path = search_path.find(EXPERIMENT, option)
    if path is None or path in above:
        return
    choices, settings, problems = read_file(path)
    with suppress(ConfigError):  # read_file says what is wrong with the list
        for group, parent in defaults.entries(path, os.path.dirname(f"{EXPERIMENT}/{option}")):
            name = f"{group}/{parent}".removeprefix(f"{EXPERIMENT}/")
            if f"{group}/".startswith(f"{EXPERIMENT}/") and parent != "_self_":
                _add_experiment(found, name, [*above, path])
    for setting in choices:
        found.choices[setting.key] = setting
    found.settings.extend(settings)
    found.problems.extend(problems)


def read_file(path: Path, *, header: bool = True) -> tuple[list[Setting], list[Setting], list[ConfigIssue]]:
    """The group choices and settings of an experiment file, each with its line."""
    shown = files.shown(path)
    try:
        text, root = files.document(path)
    except (foreign.Unreadable, FileNotFoundError) as error:
        reason = str(error) if isinstance(error, foreign.Unreadable) else "is a link to nothing"
        return [], [], [ConfigIssue(shown, reason)]
    choices: list[Setting] = []
    settings: list[Setting] = []
    problems = _header(text, shown) if header else []
    if not isinstance(root, yaml.MappingNode):
        return choices, settings, [*problems, ConfigIssue(shown, "expected keys and values at the top")]
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
                problems.append(ConfigIssue(str(key.value), f"not readable as YAML: {message}", where=where))
    return choices, settings, problems


def group_settings(group: str, path: Path) -> list[Setting]:
    """The settings of a group's file, under their full keys, each with its line."""
    _, found, _ = read_file(path, header=False)
    return [replace(setting, key=f"{group}.{setting.key}") for setting in found]


def _header(text: str, shown: str) -> list[ConfigIssue]:
    """Hydra puts a file without this line below ``experiment``, where nothing reads it."""
    comments = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
    if any(comment.startswith("@package") and "_global_" in comment for comment in comments):
        return []
    return [ConfigIssue(shown, "an experiment begins with the line: # @package _global_")]


def _choices(node: yaml.Node, shown: str) -> tuple[list[Setting], list[ConfigIssue]]:
    """The choices of groups in a list of defaults; what else stands there is Hydra's to read."""
    found, problems = [], []
    for entry in node.value if isinstance(node, yaml.SequenceNode) else []:
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else []:
            words, where = str(key.value).split() or [""], f"{shown}:{key.start_mark.line + 1}"
            group = words[-1].lstrip("/")
            if fault := hydra_words.default(group):
                problems.append(ConfigIssue(str(key.value), fault, None, where))
            is_choice = group in GROUPS or (words[0] == "override" and "@" not in group and "/" not in group)
            if not is_choice or not isinstance(value, yaml.ScalarNode):
                continue
            if words[0] != "override":
                message = f"write: - override /{group}: {value.value}"
                problems.append(ConfigIssue(str(key.value), message, value.value, where))
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
