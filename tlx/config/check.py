"""Checks of a request against the schema: names, types and words, each problem with the nearest right choice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException, ValidationError

from tlx.backbones.zoo import timm_architectures
from tlx.config import places
from tlx.config.errors import Problem, nearest
from tlx.config.fields import CHOICES
from tlx.config.request import SELECTABLE, Request, Setting
from tlx.config.schema import EXPERIMENT, GROUPS, REQUIRED


def choices(request: Request) -> list[Problem]:
    """Is every chosen option there, and is every required group chosen?"""
    problems = []
    for group, setting in request.choices.items():
        if group not in SELECTABLE:
            problems.append(Problem(group, f"not a group{nearest(group, SELECTABLE)}", setting.value, setting.where))
        elif setting.deletes:
            problems.append(Problem(group, "a group cannot be taken away; choose another option", None, setting.where))
        else:
            problems.extend(_option(group, setting))
    undecided = any(problem.key == EXPERIMENT for problem in problems)  # it may have been the one to choose them
    for group in REQUIRED:
        if group not in request.choices and not undecided:
            problems.append(Problem(group, f"nothing chosen; write {group}=<name> (tlx list {group})"))
    return problems


def _option(group: str, setting: Setting) -> list[Problem]:
    known = places.options(group)
    option = setting.value
    if option in (None, "", "null"):
        if group == EXPERIMENT:
            return []
        return [Problem(group, f"nothing chosen; write {group}=<name> (tlx list {group})", None, setting.where)]
    if str(option) in known or (group == "backbone" and str(option) in timm_architectures()):
        return []
    close = nearest(str(option), known)
    if group == "backbone" and not close:
        close = nearest(str(option), timm_architectures())
    return [Problem(group, f"not an option{close} (tlx list {group})", option, setting.where)]


def settings(base: DictConfig, given: list[Setting]) -> list[Problem]:
    """Apply the settings to ``base``; those whose key is not there or whose type is wrong are left out and told."""
    problems: list[Problem] = []
    for setting in given:
        problems.extend(_apply(base, setting))
    return problems


def _apply(base: DictConfig, setting: Setting) -> Iterator[Problem]:
    parent, unknown = _walk(base, setting.key)
    if unknown is None and setting.deletes:
        yield Problem(setting.key, "cannot be deleted; set it to null or another value", None, setting.where)
        return
    if unknown is not None:
        path, name = unknown
        if _is_free(parent):
            if not setting.adds and not setting.where:
                message = f"not there yet; add it with +{setting.key}={setting.value}"
                yield Problem(setting.key, message, setting.value)
            return
        known = sorted({*_names(parent), *(SELECTABLE if not path else ())})
        hint = nearest(name, known, path) or f"; {path.rstrip('.') or 'a trial'} has {', '.join(known)}"
        yield Problem(setting.key, f"unknown key{hint}", setting.value, setting.where)
        return
    try:
        put(base, setting)
    except ValidationError as error:
        yield Problem(setting.key, _type_message(error), setting.value, setting.where)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or setting.key
        yield Problem(str(key), str(error).splitlines()[0], None, setting.where)


def put(config: DictConfig, setting: Setting) -> None:
    """Apply one setting in place, as Hydra would."""
    merge = OmegaConf.select(config, setting.key) is not None
    with flag_override(config, "struct", not setting.where):  # a file may add keys to a dict, an override says +
        OmegaConf.update(config, setting.key, setting.value, merge=merge, force_add=setting.adds)


def _walk(config: Any, key: str) -> tuple[Any, tuple[str, str] | None]:
    """The node that holds ``key``, and (path before it, name) at the first step that is not there."""
    path = ""
    for name in key.split("."):
        if OmegaConf.is_list(config) and name.isdigit() and int(name) < len(config):
            child = config._get_node(int(name))
        elif name in _names(config):  # `in config` leaves out keys whose value is missing
            child = config._get_node(name)
        else:
            return config, (path, name)
        path, config = f"{path}{name}.", child
    return config, None


def _names(node: Any) -> list[str]:
    return [str(key) for key in node] if OmegaConf.is_dict(node) else []


def _is_free(node: Any) -> bool:
    """Is this a ``dict`` option that takes any key?"""
    return OmegaConf.is_dict(node) and not is_dataclass(OmegaConf.get_type(node))


def _type_message(error: ValidationError) -> str:
    text = str(error).splitlines()[0]
    match = re.search(r"could not be converted to (\w+)", text)
    if match:
        kind = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}.get(match.group(1))
        return f"wrong type: expected {kind or match.group(1)}"
    return f"wrong type: {text}"


def values(base: DictConfig, absent: set[str]) -> list[Problem]:
    """Mandatory values still missing, and words outside their choices."""
    problems = []
    for key in sorted(OmegaConf.missing_keys(base)):
        if key.split(".")[0] not in absent:
            problems.append(Problem(key, f"needs a value; write {key}=..."))
    for path, node in _nodes(base):
        for option in fields(OmegaConf.get_type(node)):  # type: ignore[arg-type]
            words = option.metadata.get(CHOICES)
            if words is None or OmegaConf.is_missing(node, option.name):
                continue
            word = node[option.name]
            if word not in words:
                message = f"not one of {', '.join(words)}{nearest(str(word), words)}"
                problems.append(Problem(f"{path}{option.name}", message, word))
    return problems


def extras(base: DictConfig) -> list[Problem]:
    """Keys that no option reads: Hydra lets ``+key=value`` past a schema."""
    problems = []
    for path, node in _nodes(base):
        known = [option.name for option in fields(OmegaConf.get_type(node))]  # type: ignore[arg-type]
        for key in node:
            if key not in known:
                value = node._get_node(key)
                problems.append(Problem(f"{path}{key!s}", f"unknown key{nearest(str(key), known)}", value))
    return problems


def _nodes(config: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every node that has a dataclass as its type, with its path."""
    if isinstance(config, DictConfig) and not config._is_none() and not config._is_missing():
        if is_dataclass(OmegaConf.get_type(config)):
            yield path, config
        for key in config:
            yield from _nodes(config._get_node(key), f"{path}{key!s}.")
    elif isinstance(config, ListConfig) and not config._is_none() and not config._is_missing():
        for index in range(len(config)):
            yield from _nodes(config._get_node(index), f"{path}{index}.")


def explain(error: Exception) -> Problem:
    """What Hydra refused although the request looked right: a mistake in a group file, most likely."""
    text = str(error)
    place = re.search(r"In '([^']+)'", text)
    key = re.search(r"full_key: (\S+)", text)
    owner = re.search(r"Key '([^']+)' not in '(\w+)'", text)
    path = places.find(*place.group(1).rsplit("/", 1)) if place and "/" in place.group(1) else None
    where = str(path.relative_to(Path.cwd()) if path and path.is_relative_to(Path.cwd()) else path or "")
    if owner is None:
        message = next((line for line in text.splitlines()[1:] if line.strip()), text.splitlines()[0])
        return Problem(key.group(1) if key else "configuration", message.strip(), None, where)
    known = [
        f.name
        for kinds in GROUPS.values()
        for kind in kinds.values()
        if kind.__name__ == owner.group(2)
        for f in fields(kind)
    ]
    group = f"{place.group(1).split('/')[0]}." if place else ""
    name = key.group(1) if key else owner.group(1)
    return Problem(
        name if "." in name else f"{group}{name}", f"unknown key{nearest(owner.group(1), known, group)}", None, where
    )
