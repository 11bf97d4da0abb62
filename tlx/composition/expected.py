"""What a key takes, in words that a user knows, and what to type: told where a value of another kind is given."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from dataclasses import MISSING as UNSET
from dataclasses import Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING, BooleanNode, FloatNode, IntegerNode, OmegaConf, StringNode
from omegaconf.errors import ValidationError

from tlx._compat.config_nodes import is_interpolation, is_missing, is_none, node_at
from tlx.composition.words import written
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.fields import CHOICES, RANGE, SHORT, Range

_NODES: dict[Any, type] = {int: IntegerNode, float: FloatNode, bool: BooleanNode, str: StringNode}
_ONE = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
_MANY = {int: "whole numbers", float: "numbers", bool: "true or false", str: "words"}
_NUMBERS = (1, 2, 0.5, 0, 10)  # one of which is in the range of any option
_ANYTHING = "..."


class _Keys(dict[str, Any]):
    """Of a part: typed one by one, ``key.name=value``."""


@dataclass(frozen=True)
class Place:
    """What a key is for: the type that it takes, and the option that says more of it."""

    hint: Any
    option: Field[Any] | None = None

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types, without null."""
        if get_origin(self.hint) not in (Union, types.UnionType):
            return (self.hint,)
        return tuple(one for one in get_args(self.hint) if one is not types.NoneType)

    @property
    def kind(self) -> Any:
        """The type, where there is one."""
        return self.kinds[0] if len(self.kinds) == 1 else Any

    @property
    def is_optional(self) -> bool:
        """Does it take null?"""
        return types.NoneType in get_args(self.hint)

    @property
    def part(self) -> type | None:
        """The class of its keys, where it has keys of its own."""
        return self.kind if isinstance(self.kind, type) and is_dataclass(self.kind) else None

    @property
    def within(self) -> Place:
        """What each value of the list or of the free mapping is."""
        return Place((get_args(self.kind) or (Any,))[-1])


def place_of(base: Any, key: str) -> Place:
    """What is at a key.

    Args:
        base: The configuration.
        key: Its dotted key, whether there is something or null.
    """
    node, found = base, Place(OmegaConf.get_type(base))
    for name in key.split("."):
        if found.part is not None:
            option = next((one for one in fields(found.part) if one.name == name), None)
            found = Place(_hints(found.part)[name], option) if option is not None else Place(Any)
        else:
            found = found.within
        node = _child(node, name)
        kind = OmegaConf.get_type(node) if OmegaConf.is_dict(node) and not is_none(node) else None
        if kind is not None and is_dataclass(kind) and found.part is not kind:  # as it was chosen, of a group
            found = Place(kind, found.option)
    return found


def faults(place: Place, key: str, value: Any, *, in_file: bool = False) -> Iterator[ConfigIssue]:
    """What of a value is of another kind than its place takes, with whole keys; references are left to others.

    Args:
        place: What is at the key.
        key: The key.
        value: What was given.
        in_file: It was given in a file, or within a list.
    """
    kind, part = place.kind, place.part
    if (value is None and place.is_optional) or value == MISSING or (isinstance(value, str) and "${" in value):
        return
    if part is not None and isinstance(value, dict):
        known = {one.name: one for one in fields(part)}
        for name, inner in value.items():
            if name in known:
                yield from faults(Place(_hints(part)[name], known[name]), f"{key}.{name}", inner, in_file=in_file)
            else:
                hint = suggest(str(name), known, f"{key}.") or f"; {key} has {', '.join(known) or 'nothing'}"
                yield ConfigIssue(f"{key}.{name}", f"unknown key{hint}", inner)
    elif get_origin(kind) is list and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from faults(place.within, f"{key}.{index}", inner, in_file=True)  # written within the list
    elif get_origin(kind) is dict and isinstance(value, dict):
        for name, inner in value.items():
            yield from faults(place.within, f"{key}.{name}", inner, in_file=in_file)
    elif part is not None or get_origin(kind) in (list, dict) or _is_told(place, value):
        yield ConfigIssue(key, message(place, key, value, in_file=in_file), value)


def message(place: Place, key: str, value: Any = None, *, in_file: bool = False) -> str:
    """Say what was expected, and what to type.

    Args:
        place: What is at the key.
        key: The key.
        value: What was given, of which the example is made where it can be.
        in_file: It was given in a file, or within a list.
    """
    choices = place.option.metadata.get(CHOICES) if place.option is not None and place.kind is str else None
    if choices:
        return f"wrong type: expected one of {', '.join(choices)}"
    if place.option is None and place.part is None:  # of a list or a mapping, which is given whole
        return f"wrong type: expected {_words(place)}"
    return f"wrong type: expected {_words(place)}, such as {_typed(key, _example(place, value), in_file)}"


def _is_told(place: Place, value: Any) -> bool:
    """Is a value none of the words and numbers that a place takes? Of other types OmegaConf says so itself."""
    known = all(one in _NODES or _is_enum(one) for one in place.kinds)
    return known and not any(_is_read(one, value) for one in place.kinds)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _words(place: Place) -> str:
    kind, more = place.kind, " or null" if place.is_optional else ""
    if place.part is not None:
        names = ", ".join(one.name for one in fields(place.part))
        return f"keys and values ({names or 'it has none: {}'}){more}"
    if get_origin(kind) is list:
        inner = place.within
        return f"a list of {_MANY.get(inner.kind) or ('values' if inner.kind is Any else _words(inner))}{more}"
    if get_origin(kind) is dict:
        inner = place.within
        return f"names, each with {'a value' if inner.kind is Any else _words(inner)}{more}"
    said = [", ".join(one.__members__) if _is_enum(one) else _ONE.get(one, "a value") for one in place.kinds]
    return f"{' or '.join(said)}{more}"


def _example(place: Place, value: Any) -> Any:
    """A value of the right kind, made of what was given where that has a place in it."""
    kind, option = place.kind, place.option
    if place.part is not None:
        return _of_part(place.part, value)
    default = _default(option)
    if get_origin(kind) is list:
        if place.within.kind is Any or _is_like(place.within, value):
            return [value] if value is not None else [_ANYTHING]
        if place.within.part is not None:
            return [_of_part(place.within.part, value)]
        return default if isinstance(default, list) and default else [_example(place.within, None)]
    if get_origin(kind) is dict:
        return default if isinstance(default, dict) and default else {"name": _example(place.within, None)}
    if type(default) in _NODES and default != MISSING:
        return default
    if kind in (int, float):
        allowed = option.metadata.get(RANGE, Range()) if option is not None else Range()
        return next(kind(one) for one in _NUMBERS if allowed.holds(one) and kind(one) == one)
    return True if kind is bool else _ANYTHING


def _of_part(kind: type, value: Any) -> Any:
    """An example for a part: parts of the names that were given, its word, or the key that takes the value."""
    known = {one.name: Place(_hints(kind)[one.name], one) for one in fields(kind) if not _is_fixed(one)}
    words = value if isinstance(value, list) else [value]
    named = [one for one in words if isinstance(one, str) and one in known and known[one].part is not None]
    if named:
        return _Keys({one: _Keys() for one in named})
    short = next((one for one in fields(kind) if one.metadata.get(SHORT)), None)
    if short is not None:
        return _default(short)
    needed = {name: place for name, place in known.items() if _default(place.option) == MISSING} or known
    for name, place in needed.items():
        if _is_like(place, value) or (get_origin(place.kind) is list and _is_like(place.within, value)):
            return _Keys({name: value if _is_like(place, value) else [value]})
    for name, place in needed.items():
        return _Keys({name: _example(place, None)})
    return _Keys()


def _is_fixed(option: Field[Any]) -> bool:
    """Is it said by the choice of a group?"""
    return option.name in ("kind", "modality") and CHOICES not in option.metadata


def _is_like(place: Place, value: Any) -> bool:
    """Is a value plainly of the kind of a place, and one of its choices, where it has some?"""
    choices = place.option.metadata.get(CHOICES) if place.option is not None and place.kind is str else None
    if choices:
        return value in choices
    if place.kind is float and type(value) is int:
        return True
    if get_origin(place.kind) is list:
        return isinstance(value, list) and all(_is_like(place.within, one) for one in value)
    return type(value) is place.kind


def _is_read(kind: type, value: Any) -> bool:
    if issubclass(kind, Enum):
        return isinstance(value, kind) or value in kind.__members__
    try:
        _NODES[kind](value, is_optional=False)
    except ValidationError:
        return False
    return True


def _typed(key: str, value: Any, in_file: bool) -> str:
    """The example as it is typed: on a command line, a word for each key of a part; or in a file."""
    if in_file:
        name = key.rpartition(".")[2]
        return _in_flow(value) if name.isdecimal() else f"{name}: {_in_flow(value)}"
    if isinstance(value, _Keys) and value:
        return " ".join(_typed(f"{key}.{name}", inner, in_file) for name, inner in value.items())
    try:
        (word,) = written({key: value})
    except ConfigError:  # what was given has letters that a command line does not take here
        word = f"{key}={_ANYTHING}"
    word = word.replace(f"'{_ANYTHING}'", _ANYTHING)
    if re.fullmatch(r"[\w.=\[\],{}:+/%-]*", word) and not re.search(r"{[^}]*,", word):
        return word
    return f'"{word}"' if "'" in word else f"'{word}'"


def _in_flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_in_flow(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_in_flow, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(option: Field[Any] | None) -> Any:
    if option is None:
        return None
    if option.default is not UNSET:
        return option.default
    return option.default_factory() if option.default_factory is not UNSET else None


def _child(node: Any, name: str) -> Any:
    if not OmegaConf.is_config(node) or is_none(node) or is_missing(node) or is_interpolation(node):
        return None
    if OmegaConf.is_list(node):
        return node_at(node, int(name)) if name.isdecimal() and len(name) < 9 and int(name) < len(node) else None
    return node_at(node, name) if name in map(str, node) else None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
