"""What a key that is not there was meant to be: a setting elsewhere, a name of another framework, or a misspelling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf

from tlx._compat.config_nodes import is_interpolation, is_missing, is_none, is_optional, node_at
from tlx.components import groups
from tlx.composition import elsewhere, option_kinds
from tlx.config.errors import suggest
from tlx.config.schema import EXPERIMENT, GROUPS

_SHOWN = 3
_COMMON = ("name", "kind", "modality")  # what most parts have: nobody means it by the word alone
_ALIKE = 0.75  # a key and one beside it
_VERY_ALIKE = 0.8  # a key and one anywhere
_LEAST = 4  # letters of a word that is looked for anywhere


def suggestion(base: DictConfig, key: str, path: str, name: str, siblings: list[str]) -> str:
    """Say what an unknown key was meant to be, as the end of a message.

    Args:
        base: The configuration it is not in.
        key: The whole key.
        path: The part of it that is there, with a dot at its end.
        name: The step that is not.
        siblings: What is there in its place.
    """
    group = path.partition(".")[0]
    for kind, found in groups.options(group).items():
        if path == f"{group}." and name in (one.name for one in fields(found)):
            return f"; it is a setting of {_choice(group, kind, name)}"
    for word in dict.fromkeys((key.rpartition(".")[2], name)):
        if hint := _called(base, group, word.lower()):
            return hint
    if hint := suggest(name, siblings, path, cutoff=_ALIKE):
        return hint
    if not path and len(name) >= _LEAST and (alike := _alike(base, name)):
        return f"; did you mean {alike}?"
    return f"; {path.rstrip('.') or 'a trial'} has {', '.join(siblings) or 'nothing'}"


def _alike(base: DictConfig, name: str) -> str:
    """The shortest key whose last step is very like a word."""
    known = [one for one in _keys(base) if one.rpartition(".")[2] not in _COMMON]
    hint = suggest(name, [one.rpartition(".")[2] for one in known], cutoff=_VERY_ALIKE)
    word = hint.removeprefix("; did you mean ").removesuffix("?")
    return min((one for one in known if one.rpartition(".")[2] == word), key=len, default="")


def _called(base: DictConfig, group: str, word: str) -> str:
    """Where a setting of this name is: within its group, by its name elsewhere, or in another group.

    Args:
        base: The configuration.
        group: The group that the key begins with; empty where it begins with nothing that is there.
        word: The name.
    """
    ours = elsewhere.KEYS.get(f"{group}.{word}") or elsewhere.KEYS.get(word, "")
    if words := elsewhere.WORDS.get(word):
        return f"; write {words}" if f"{group}.{word}" not in elsewhere.KEYS else _leads(base, ours)
    if ours and (not group or ours.startswith(f"{group}.")):
        return _leads(base, ours)
    if group and (near := _nearest(base, word, group, _keys(base))):
        return f"; did you mean {' or '.join(near)}?"
    if ours:
        return _leads(base, ours)
    if (near := _nearest(base, word, "", _keys(base))) and (not group or _is_setting(base, near[0])):
        return f"; did you mean {' or '.join(near)}?"
    if near := _nearest(base, word, group, _every_key()):  # of parts that are null
        return f"; did you mean {' or '.join(near)}?"
    for one in GROUPS:
        for kind, options in groups.options(one).items():
            if not group and word in (option.name for option in fields(options)) and word not in _COMMON:
                return f"; {one}.{word} is a setting of {_choice(one, kind, word)}"
    return ""


def _leads(base: DictConfig, key: str) -> str:
    """The hint to a key that is there, or to the choice that has it."""
    group, _, rest = key.partition(".")
    if rest and "." not in rest and key not in _keys(base):
        for kind, options in groups.options(group).items():
            if rest in (one.name for one in fields(options)):
                return f"; {key} is a setting of {_choice(group, kind, rest)}"
    return f"; did you mean {key}?"


def _nearest(base: DictConfig, word: str, group: str, keys: Iterable[str]) -> list[str]:
    """The shortest of these keys that have a name, below a group where one is given."""
    if word in _COMMON:
        return []
    known = [one for one in keys if one.rpartition(".")[2] == word and one.startswith(f"{group}." if group else "")]
    least = min((one.count(".") for one in known), default=0)
    known = [*dict.fromkeys(one for one in known if one.count(".") == least)]
    return known[:_SHOWN] if group or (known and known[0] in _keys(base)) else known[:1]


def _is_setting(base: DictConfig, key: str) -> bool:
    """Is a key what another group may be mistaken for: there in any trial, so of no part that might be left out?"""
    node: Any = base
    for step in key.split("."):
        is_there = isinstance(node, DictConfig) and not is_none(node) and step in node.keys()  # noqa: SIM118
        node = node_at(node, step) if is_there else None
        if node is None or (isinstance(node, DictConfig) and is_optional(node)):
            return False
    return True


def _choice(group: str, kind: str, name: str) -> str:
    """The options that have a setting, and what to write."""
    found = option_kinds.options_of(group, kind)
    if not found:
        return f"{group}={kind}: choose that as well"
    return f"{' and '.join(f'{group}={one}' for one in found[:_SHOWN])}: write {group}={found[0]} {group}.{name}=..."


def _every_key() -> Iterator[str]:
    """The keys of a trial that stand in lists, and in parts that are null: of phases, adapters, controllers."""
    for group in ("strategy", "hardware", "reuse", "tracking"):
        for kind in groups.options(group).values():
            yield from _within(kind, f"{group}.")


def _within(kind: type, path: str) -> Iterator[str]:
    for name, hint in get_type_hints(kind).items():
        parts = [one for one in (hint, *get_args(hint)) if isinstance(one, type) and is_dataclass(one)]
        yield f"{path}{name}"
        for part in parts:
            yield from _within(part, f"{path}{name}.{'0.' if get_origin(hint) is list else ''}")


def _keys(node: Any, path: str = "") -> Iterator[str]:
    """The keys of every setting, but for what stands in lists and free mappings."""
    if not isinstance(node, DictConfig) or is_none(node) or is_missing(node) or is_interpolation(node):
        return
    if OmegaConf.get_type(node) is dict:
        return
    for name in map(str, node):
        if not path or name not in (EXPERIMENT, *_COMMON):
            yield f"{path}{name}"
        yield from _keys(node_at(node, name), f"{path}{name}.")
