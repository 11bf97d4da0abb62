"""JSON Schema of the files that a user writes, made of the same dataclasses that check them.

An editor with YAML support completes and checks a file that begins with
``# yaml-language-server: $schema=experiment.schema.json`` (https://json-schema.org/draft/2020-12).
What is right by its shape may still not fit together; that is for ``tlx plan`` to say.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING as UNSET
from dataclasses import Field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from tlx.components import groups
from tlx.composition import files, search_path
from tlx.config.errors import ConfigError
from tlx.config.fields import CHOICES, HELP, RANGE, Range

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FIXED = ("kind", "modality")  # said by the choice of an option
_REFERENCE = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}  # of the value of something else; still to be given
_NUMBER = r"[+-]?([0-9]+(_[0-9]+)*\.?([0-9]+(_[0-9]+)*)?|\.[0-9]+(_[0-9]+)*)([eE][+-]?[0-9]+(_[0-9]+)*)?"
_NUMBER += r"|[+-]?([iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])"
_WORDS = {
    int: r"^\s*[+-]?[0-9]+(_[0-9]+)*\s*$",
    float: rf"^\s*({_NUMBER})\s*$",
    bool: r"^([yY]([eE][sS])?|[oO][nN]|[tT][rR][uU][eE]|[nN][oO]?|[oO][fF][fF]|[fF][aA][lL][sS][eE]|[+-]?[0-9]+)$",
}
_TYPES = {int: ["integer"], float: ["number"], bool: ["boolean", "integer"], str: ["string", "number", "boolean"]}


def of_experiment() -> dict[str, Any]:
    """The schema of an experiment file: its list of defaults, and settings of each part as it was chosen there."""
    found = _object(groups.trial_schema())
    found["properties"]["defaults"] = {"type": "array", "description": "choices, and the experiments it starts from"}
    for group in ("backbone", "dataset", "task", "reuse"):
        found["properties"][group] = {"anyOf": [_part(kind) for kind in dict.fromkeys(groups.options(group).values())]}
        found["properties"][group]["description"] = _said(groups.trial_schema(), group)
    conditions = [one for group in ("backbone", "dataset", "task") for one in _chosen(group)]
    return {"$schema": DIALECT, "title": "a tlx experiment", **found, "allOf": conditions, "$defs": _definitions()}


def of_group(group: str) -> dict[str, Any]:
    """The schema of an option's file, such as ``conf/backbone/mine.yaml``; raises ``KeyError`` for no group."""
    choices = [_object(kind) for kind in dict.fromkeys(groups.options(group).values())]
    for one in choices:
        one["properties"]["defaults"] = {"type": "array", "description": "its schema, and what it starts from"}
    return {"$schema": DIALECT, "title": f"a {group} of tlx", "anyOf": choices, "$defs": _definitions()}


def _definitions() -> dict[str, Any]:
    return {groups.class_name(kind): _object(kind) for kind in groups.kinds() if kind is not groups.trial_schema()}


def _chosen(group: str) -> Iterable[dict[str, Any]]:
    """Where the list of defaults chooses an option, its group has the settings of that option's kind."""
    by_kind: dict[type, list[str]] = {}
    for option in search_path.options(group):
        kind = _kind(group, option)
        if kind is not None:
            by_kind.setdefault(kind, []).append(option)
    for kind, options in by_kind.items():
        entries = [{"required": [key], "properties": {key: {"enum": options}}} for key in _keys(group)]
        has = {"type": "array", "contains": {"type": "object", "anyOf": entries}}
        yield {
            "if": {"required": ["defaults"], "properties": {"defaults": has}},
            "then": {"properties": {group: _part(kind)}},
        }


def _keys(group: str) -> list[str]:
    return [f"override /{group}", f"override {group}"]


def _kind(group: str, option: str) -> type | None:
    """The class of an option's settings, which the schema in its file's defaults names; None where none does."""
    path = search_path.find(group, option)
    try:
        defaults = files.load(path)[1].get("defaults") if path is not None else None
    except (ConfigError, OSError):
        return None
    for entry in defaults or ():
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            if str(key).startswith(f"/schema/{group}@"):
                return groups.options(group).get(str(value))
    return None


def _object(kind: type) -> dict[str, Any]:
    """The keys and values of a class of options."""
    hints = get_type_hints(kind)
    properties = {one.name: _option(one, hints[one.name]) for one in fields(kind)}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _option(option: Field[Any], hint: Any) -> dict[str, Any]:
    found = _value(hint, option.metadata.get(CHOICES, ()), option.metadata.get(RANGE))
    fixed = option.name in _FIXED and CHOICES not in option.metadata
    if fixed and isinstance(option.default, str) and option.default != MISSING:
        found = {"anyOf": [{"const": option.default}, _REFERENCE]}
    if HELP in option.metadata:
        found["description"] = option.metadata[HELP]
    if isinstance(option.default, (str, int, float, bool)) and option.default not in (UNSET, MISSING):
        found["default"] = option.default
    return found


def _said(kind: type, name: str) -> str:
    return next(str(one.metadata.get(HELP, "")) for one in fields(kind) if one.name == name)


def _part(kind: type) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/$defs/{groups.class_name(kind)}"}, _REFERENCE]}


def _value(hint: Any, choices: Iterable[str] = (), allowed: Range | None = None) -> dict[str, Any]:
    """What a type hint takes, as OmegaConf converts it: words that are numbers too, and references to other values."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (some,) = [one for one in inner if one is not types.NoneType]
        return {"anyOf": [*_value(some, choices, allowed)["anyOf"], {"type": "null"}]}
    if hint is Any:
        return {"anyOf": [{}]}
    if is_dataclass(hint):
        return _part(hint)  # type: ignore[arg-type]
    if origin is list:
        return {"anyOf": [{"type": "array", "items": _value(*inner)}, _REFERENCE]}
    if origin is dict:
        return {"anyOf": [{"type": "object", "additionalProperties": _value(inner[1], (), allowed)}, _REFERENCE]}
    if choices:
        return {"anyOf": [{"enum": [*choices]}, _REFERENCE]}
    number = {"type": _TYPES[hint], **_limits(allowed)}
    return {"anyOf": [number, *([{"type": "string", "pattern": _WORDS[hint]}] if hint in _WORDS else []), _REFERENCE]}


def _limits(allowed: Range | None) -> dict[str, float]:
    if allowed is None:
        return {}
    named = {
        "minimum": allowed.least,
        "exclusiveMinimum": allowed.above,
        "maximum": allowed.most,
        "exclusiveMaximum": allowed.below,
    }
    return {name: value for name, value in named.items() if value is not None and math.isfinite(value)}
