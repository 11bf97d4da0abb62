"""What is wrong with a configuration as it was composed: references, types within lists, words, what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Any

from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from tlx._compat.config_nodes import element_type, is_interpolation, is_missing, is_none, is_optional, node_at
from tlx.config.errors import ConfigIssue, suggest
from tlx.config.fields import CHOICES, REFUSED

_SCALARS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def elements(node: Any, path: str = "") -> Iterator[ConfigIssue]:
    """Lists and mappings where a list or a free mapping takes numbers or words, which OmegaConf lets pass."""
    if not isinstance(node, (DictConfig, ListConfig)) or is_none(node) or is_missing(node) or is_interpolation(node):
        return
    wanted = _SCALARS.get(element_type(node)) if not is_dataclass(OmegaConf.get_type(node)) else None
    keys: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        child, whole = node_at(node, key), f"{path}.{key!s}" if path else str(key)
        if wanted is not None and OmegaConf.is_config(child):
            yield ConfigIssue(whole, f"wrong type: expected {wanted}", OmegaConf.to_container(child, resolve=False))
        else:
            yield from elements(child, whole)


def references(base: DictConfig) -> list[ConfigIssue]:
    """Interpolations of the files that lead nowhere, or to a value of another kind than their place takes."""
    problems = list[ConfigIssue]()
    for holder, key, path in _referring(base):
        try:
            found = holder[key]
        except OmegaConfBaseException as error:
            wrong = isinstance(error, ValidationError)
            reason = type_message(error) if wrong else f"cannot be resolved: {str(error).splitlines()[0]}"
            problems.append(ConfigIssue(path, reason))
            continue
        if what := not_a_part(node_at(holder, key), found):
            problems.append(ConfigIssue(path, f"wrong type: expected {what}", found))
    return problems


def not_a_part(node: Any, found: Any) -> str:
    """What was expected where a reference leads to no list or part, in a place that holds one; else empty."""
    if not OmegaConf.is_config(node) or OmegaConf.is_config(found) or (found is None and is_optional(node)):
        return ""
    return "a list" if OmegaConf.is_list(node) else "keys and values"


def _referring(node: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Every value that is an interpolation: what holds it, its key there, and its whole key."""
    if not isinstance(node, (DictConfig, ListConfig)) or is_none(node) or is_missing(node):
        return
    keys: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        child: Any = node_at(node, key)
        whole = f"{path}.{key!s}" if path else str(key)
        if is_interpolation(child):
            yield node, key, whole
        else:
            yield from _referring(child, whole)


def values(base: DictConfig, absent: set[str]) -> list[ConfigIssue]:
    """Mandatory values still missing, and words outside their choices."""
    problems = []
    for key in sorted(_missing(base)):
        if key.split(".")[0] not in absent:
            problems.append(ConfigIssue(key, f"needs a value; write {key}=..."))
    for path, node in _nodes(base):
        for option in _limited(OmegaConf.get_type(node)):  # type: ignore[arg-type]
            if not OmegaConf.is_missing(node, option.name):
                problems += _word(path, option, node[option.name])
    return problems


def words(trial: Any) -> list[ConfigIssue]:
    """Words outside their choices, of a configuration in which nothing is missing; as :func:`values`, in less time."""
    problems: list[ConfigIssue] = []
    for path, part in _parts(trial):
        kind: type = part.__class__
        for option in _limited(kind):
            problems += _word(path, option, getattr(part, option.name))
    return problems


def _word(path: str, option: Field[Any], word: Any) -> Iterator[ConfigIssue]:
    choices = option.metadata.get(CHOICES)
    if choices is None and word != option.default != MISSING:
        group = path.rstrip(".")
        message = f"belongs to the choice of {group}; choose another (tlx list {group})"
        yield ConfigIssue(f"{path}{option.name}", message, word)
    elif choices is not None and word not in choices and not (word is None and option.default is None):
        reason = option.metadata.get(REFUSED, {}).get(word)
        message = reason or f"not one of {', '.join(choices)}{suggest(str(word), choices)}"
        yield ConfigIssue(f"{path}{option.name}", message, word)


def _parts(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every part of a configuration that is a dataclass, with its path."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _parts(inner, f"{path}{index}.")
    elif isinstance(node, dict):
        for key, inner in node.items():
            yield from _parts(inner, f"{path}{key}.")
    elif is_dataclass(node):
        yield path, node
        for name, inner in vars(node).items():
            yield from _parts(inner, f"{path}{name}.")


@cache
def _limited(kind: type) -> list[Field[Any]]:
    """The options of a kind that take certain words, or none but their own."""
    return [option for option in fields(kind) if CHOICES in option.metadata or option.name in ("kind", "modality")]


def _missing(node: Any, path: str = "") -> Iterator[str]:
    """Keys whose value is still ``???``; as ``OmegaConf.missing_keys``, in a tenth of its time."""
    if not isinstance(node, (DictConfig, ListConfig)) or is_none(node) or is_interpolation(node):
        if node is not None and is_missing(node):
            yield path
        return
    if is_missing(node):
        yield path
        return
    keys: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        yield from _missing(node_at(node, key), f"{path}.{key!s}" if path else str(key))


def extras(base: DictConfig) -> list[ConfigIssue]:
    """Keys that no option reads: Hydra lets ``+key=value`` past a schema."""
    problems = []
    for path, node in _nodes(base):
        known = [option.name for option in fields(OmegaConf.get_type(node))]  # type: ignore[arg-type]
        for key in node:
            if key not in known:
                value = node_at(node, key)
                problems.append(ConfigIssue(f"{path}{key!s}", f"unknown key{suggest(str(key), known)}", value))
    return problems


def _nodes(config: Any, path: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every node that has a dataclass as its type, with its path."""
    if isinstance(config, DictConfig) and not is_none(config) and not is_missing(config):
        if is_dataclass(OmegaConf.get_type(config)):
            yield path, config
        for key in config:
            yield from _nodes(node_at(config, key), f"{path}{key!s}.")
    elif isinstance(config, ListConfig) and not is_none(config) and not is_missing(config):
        for index in range(len(config)):
            yield from _nodes(node_at(config, index), f"{path}{index}.")


def type_message(error: OmegaConfBaseException) -> str:
    text = str(error).splitlines()[0]
    words = {"Integer": "a whole number", "Float": "a number", "bool": "true or false", "Boolean": "true or false"}
    match = re.search(r"could not be converted to (\w+)|is not a valid (\w+)", text)
    if match:
        kind = match.group(1) or match.group(2)
        return f"wrong type: expected {words.get(kind, kind)}"
    if "is not a ListConfig" in text:
        return "wrong type: expected a list, as [one] or [one,two]"
    return f"wrong type: {text}"
