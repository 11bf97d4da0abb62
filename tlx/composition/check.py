"""Checks of a request against the schema: names, types and words, each problem with the nearest right choice."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException, ValidationError

from tlx._compat.config_nodes import is_none, node_at
from tlx.components.groups import kinds
from tlx.composition import interpolations
from tlx.composition.request import SELECTABLE, Setting
from tlx.composition.schema_checks import elements, not_a_part, type_message
from tlx.composition.suggest import suggestion
from tlx.composition.values import faults as value_faults
from tlx.config.errors import ConfigIssue, suggest
from tlx.config.fields import SHORT


def settings(base: DictConfig, given: list[Setting]) -> list[ConfigIssue]:
    """Apply the settings to ``base``; those whose key is not there or whose type is wrong are left out and told."""
    problems: list[ConfigIssue] = []
    sound: list[Setting] = []
    for setting in given:
        faults = [ConfigIssue(at, fault, where=setting.where) for at, fault in value_faults(setting.value, setting.key)]
        problems += faults
        sound += [] if faults else [setting]
    referring = [setting for setting in sound if "${" in str(setting.value)]
    if referring and (key := interpolations.growing(base, [(one.key, one.value) for one in sound])):
        problems.append(ConfigIssue(key, interpolations.ENDLESS))
        sound = [setting for setting in sound if setting not in referring]
    for given_one in sound:
        setting = _lengthened(base, given_one)
        if setting is not given_one and setting.where:  # Hydra, which reads the file, takes no short forms
            (name, word), last = next(iter(setting.value.items())), setting.key.rpartition(".")[2]
            message = f"expected keys and values; write {last}: {{{name}: {word}}}"
            problems.append(ConfigIssue(setting.key, message, word, setting.where))
        else:
            problems.extend(_apply(base, setting))
    return problems


def _apply(base: DictConfig, setting: Setting) -> Iterator[ConfigIssue]:
    parent, unknown = _walk(base, setting.key)
    if setting.deletes:
        if unknown is None:
            yield ConfigIssue(setting.key, "cannot be deleted; set it to null or another value", None, setting.where)
            return
    elif unknown is None and setting.adds and not setting.forces and not _is_free(parent):
        yield ConfigIssue(setting.key, "is there already; write it without the +", setting.value, setting.where)
        return
    if unknown is not None and not (_is_free(parent) and (setting.adds or setting.where)):
        yield _unknown(base, parent, unknown, setting)
        return
    points = unknown is None and "${" in str(setting.value)  # somewhere else, maybe to nothing: it is undone then
    undone = points or isinstance(setting.value, (list, dict))
    before = copy.deepcopy(OmegaConf.select(base, setting.key, throw_on_missing=False)) if undone else None
    try:
        put(base, setting)
        found = OmegaConf.select(base, setting.key)  # follows an interpolation
        node, _ = _walk(base, setting.key)
        if what := not_a_part(node, found):
            yield ConfigIssue(setting.key, f"wrong type: expected {what}", setting.value, setting.where)
            OmegaConf.update(base, setting.key, before)
        if odd := list(elements(node, setting.key)):
            yield from (replace(one, where=setting.where) for one in odd)
            OmegaConf.update(base, setting.key, before, merge=False)
    except InterpolationResolutionError as error:
        wrong = isinstance(error, ValidationError)
        reason = type_message(error) if wrong else f"cannot be resolved: {str(error).splitlines()[0]}"
        yield ConfigIssue(setting.key, reason, setting.value, setting.where)
        OmegaConf.update(base, setting.key, before)
    except ValidationError as error:
        yield ConfigIssue(setting.key, type_message(error), setting.value, setting.where)
    except OmegaConfBaseException as error:
        yield _inner(error, setting)


def _unknown(base: DictConfig, parent: Any, unknown: tuple[str, str], setting: Setting) -> ConfigIssue:
    path, name = unknown
    if _is_free(parent):
        return ConfigIssue(setting.key, f"not there yet; add it with +{setting.key}={setting.value}", setting.value)
    if OmegaConf.is_dict(parent) and is_none(parent):
        key = path.rstrip(".")
        message = f"{key} is null; write {key}={{{name}: {setting.value}}}"
        return ConfigIssue(setting.key, message, setting.value, setting.where)
    known = sorted({*_names(parent), *(SELECTABLE if not path else ())})
    if OmegaConf.is_list(parent):
        known = [str(i) for i in range(len(parent))]
    hint = suggestion(base, setting.key, path, name, known)
    return ConfigIssue(setting.key, f"unknown key{hint}", setting.value, setting.where)


def _inner(error: OmegaConfBaseException, setting: Setting) -> ConfigIssue:
    """A mistake inside a mapping or list that was given whole."""
    text = str(error).splitlines()[0]
    stranger = re.search(r"Key '([^']+)' not in '(\w+)'", text)
    if stranger is None:
        return ConfigIssue(setting.key, text, setting.value, setting.where)
    name = stranger.group(1)
    key = str(getattr(error, "full_key", None) or name)
    for i, item in enumerate(setting.value if isinstance(setting.value, list) else []):
        if isinstance(item, dict) and name in item:
            key = f"{setting.key}.{i}.{name}"
    key = key if "." in key else f"{setting.key}.{key}"
    path = key.removesuffix(name)
    return ConfigIssue(key, f"unknown key{suggest(name, _fields(stranger.group(2)), path)}", None, setting.where)


def _fields(name: str) -> list[str]:
    """The field names of the option class of this name, wherever it is nested."""
    found = next((kind for kind in kinds() if kind.__name__ == name), None)
    return [option.name for option in fields(found)] if found is not None else []


def put(config: DictConfig, setting: Setting) -> None:
    """Apply one setting in place, as Hydra would."""
    merge = OmegaConf.select(config, setting.key) is not None
    if isinstance(setting.value, dict) and not merge:
        merge = _begin_part(config, setting.key)
    whole = setting.where or isinstance(setting.value, dict)  # may add keys where any are taken; an override says +
    with flag_override(config, "struct", not whole):
        OmegaConf.update(config, setting.key, setting.value, merge=merge, force_add=setting.adds)


def _begin_part(config: DictConfig, key: str) -> bool:
    """Give an optional part that is None its defaults, for a mapping to be laid over; was it one?"""
    kind = _part(config, key)
    if kind is None:
        return False
    path, _, name = key.rpartition(".")
    (OmegaConf.select(config, path) if path else config)[name] = OmegaConf.structured(kind)
    return True


def _part(config: DictConfig, key: str) -> type | None:
    """The options of the part at ``key``, whether it is there or None; None for anything but a part."""
    path, _, name = key.rpartition(".")
    parent = OmegaConf.select(config, path, throw_on_missing=False) if path else config
    kind = OmegaConf.get_type(parent) if OmegaConf.is_dict(parent) else None
    if kind is None or not is_dataclass(kind):
        return None
    hint = _hints(kind).get(name)
    return next((one for one in (hint, *get_args(hint)) if isinstance(one, type) and is_dataclass(one)), None)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _lengthened(config: DictConfig, setting: Setting) -> Setting:
    """The same setting with keys and values, where a part is given one word: ``strategy.optimizer=sgd``."""
    if not isinstance(setting.value, str) or setting.deletes or "${" in setting.value:
        return setting
    kind = _part(config, setting.key)
    name = next((one.name for one in fields(kind) if one.metadata.get(SHORT)), None) if kind is not None else None
    return setting if name is None else replace(setting, value={name: setting.value})


def _walk(config: Any, key: str) -> tuple[Any, tuple[str, str] | None]:
    """The node that holds ``key``, and (path before it, name) at the first step that is not there."""
    path = ""
    for name in key.split("."):
        if OmegaConf.is_list(config) and name.isdecimal() and len(name) < 9 and int(name) < len(config):
            child = node_at(config, int(name))
        elif name in _names(config):  # `in config` leaves out keys whose value is missing
            child = node_at(config, name)
        else:
            return config, (path, name)
        path, config = f"{path}{name}.", child
    return config, None


def _names(node: Any) -> list[str]:
    return [str(key) for key in node] if OmegaConf.is_dict(node) else []


def _is_free(node: Any) -> bool:
    """Is this a ``dict`` option that takes any key?"""
    return OmegaConf.is_dict(node) and not is_none(node) and not is_dataclass(OmegaConf.get_type(node))
