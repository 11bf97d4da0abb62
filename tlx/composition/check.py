"""Checks of a request against the schema: names, types and words, each problem with the nearest right choice."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from tlx._compat.config_nodes import is_none, node_at
from tlx.composition import expected, interpolations
from tlx.composition.request import SELECTABLE, Setting
from tlx.composition.schema_checks import elements, not_a_part, unresolved
from tlx.composition.suggest import suggestion
from tlx.composition.values import faults as value_faults
from tlx.config.errors import ConfigIssue
from tlx.config.fields import CHOICES, HELP, SHORT
from tlx.config.schema import GROUPS


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
    elif unknown is not None and (whole := _of_absent_part(base, parent, unknown[0], setting)) is not None:
        yield from _apply(base, whole)
        return
    if unknown is not None and not (_is_free(parent) and (setting.adds or setting.where)):
        yield _unknown(base, parent, unknown, setting)
        return
    points = unknown is None and "${" in str(setting.value)  # somewhere else, maybe to nothing: it is undone then
    undone = points or isinstance(setting.value, (list, dict))
    before = copy.deepcopy(OmegaConf.select(base, setting.key, throw_on_missing=False)) if undone else None
    place = expected.place_of(base, setting.key)
    try:
        put(base, setting)
        found = OmegaConf.select(base, setting.key)  # follows an interpolation
        node, _ = _walk(base, setting.key)
        if not_a_part(node, found):
            yield ConfigIssue(setting.key, expected.message(place, setting.key), setting.value, setting.where)
            OmegaConf.update(base, setting.key, before)
        if odd := list(elements(node, setting.key)):
            yield from (replace(one, where=setting.where) for one in odd)
            OmegaConf.update(base, setting.key, before, merge=False)
    except InterpolationResolutionError as error:
        yield ConfigIssue(setting.key, unresolved(error, place, setting.key), setting.value, setting.where)
        OmegaConf.update(base, setting.key, before)
    except OmegaConfBaseException as error:
        yield from _refused(error, place, setting)


def _refused(error: OmegaConfBaseException, place: expected.Place, setting: Setting) -> Iterator[ConfigIssue]:
    """What is of another kind than its place takes, in a value that OmegaConf does not."""
    if setting.key in GROUPS and not isinstance(setting.value, dict):
        message = f"one option is chosen, in the list of defaults: - override /{setting.key}: <name>"
        yield ConfigIssue(setting.key, f"{message} (tlx list {setting.key})", setting.value, setting.where)
        return
    found = list(expected.faults(place, setting.key, setting.value, in_file=bool(setting.where)))
    yield from (replace(one, where=setting.where) for one in found)
    if not found:
        yield ConfigIssue(setting.key, str(error).splitlines()[0], setting.value, setting.where)


def _of_absent_part(base: DictConfig, parent: Any, path: str, setting: Setting) -> Setting | None:
    """The setting of a part that is null, as one of the whole part; None where it is of several kinds, or no part."""
    if not OmegaConf.is_dict(parent) or not is_none(parent):
        return None
    kind = expected.place_of(base, path.rstrip(".")).part
    if kind is None or any(one.name == "kind" for one in fields(kind)):
        return None
    value = setting.value
    for name in reversed(setting.key.removeprefix(path).split(".")):
        value = {name: value}
    return replace(setting, key=path.rstrip("."), value=value, adds=False, forces=False)


def _unknown(base: DictConfig, parent: Any, unknown: tuple[str, str], setting: Setting) -> ConfigIssue:
    path, name = unknown
    holder = path.rstrip(".")
    if _is_free(parent):
        return ConfigIssue(setting.key, f"not there yet; add it with +{setting.key}={setting.value}", setting.value)
    if OmegaConf.is_dict(parent) and is_none(parent):
        message = f"{holder} is null: there is nothing to take away"
        message = message if setting.deletes else _null(base, holder, name, setting.value)
        return ConfigIssue(setting.key, message, setting.value, setting.where)
    if path and not OmegaConf.is_config(parent):
        message = expected.message(expected.place_of(base, holder), holder, in_file=bool(setting.where))
        return ConfigIssue(setting.key, f"{holder} has no keys; {message}", setting.value, setting.where)
    known = sorted({*_names(parent), *(SELECTABLE if not path else ())})
    if OmegaConf.is_list(parent):
        known = [str(i) for i in range(len(parent))]
    if name.isdecimal():
        hint = f"; {holder} has {', '.join(known) or 'nothing'}"
    else:
        hint = suggestion(base, setting.key, path, name, known)
    return ConfigIssue(setting.key, f"unknown key{hint}", setting.value, setting.where)


def _null(base: DictConfig, holder: str, name: str, value: Any) -> str:
    """What to write where a part is null: of several kinds, its kind as well."""
    kind = expected.place_of(base, holder).part
    options: dict[str, Any] = {one.name: one for one in fields(kind)} if kind is not None else {}
    if name == "kind" or "kind" not in options:
        is_word = name in options and options[name].metadata.get(SHORT)
        return f"{holder} is null; write '{holder}={value if is_word else f'{{{name}: {value}}}'}'"
    choices = options["kind"].metadata.get(CHOICES, ())
    said = re.findall(r"\w+", options[name].metadata.get(HELP, "")) if name in options else []
    chosen = next((one for one in choices if one in said), f"<{' | '.join(choices)}>")
    return f"{holder} is null; write '{holder}={{kind: {chosen}, {name}: {value}}}'"


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
    kind = expected.place_of(config, key).part
    if kind is None:
        return False
    path, _, name = key.rpartition(".")
    (OmegaConf.select(config, path) if path else config)[name] = OmegaConf.structured(kind)
    return True


def _lengthened(config: DictConfig, setting: Setting) -> Setting:
    """The same setting with keys and values, where a part is given one word: ``strategy.optimizer=sgd``."""
    if not isinstance(setting.value, str) or setting.deletes or "${" in setting.value:
        return setting
    kind = expected.place_of(config, setting.key).part
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
