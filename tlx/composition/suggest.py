"""What a key that is not there was meant to be: a setting elsewhere, a name of another framework, or a misspelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf

from tlx._compat.config_nodes import is_interpolation, is_missing, is_none, node_at
from tlx.components import groups
from tlx.composition import elsewhere, option_kinds
from tlx.config.errors import suggest
from tlx.config.schema import EXPERIMENT, GROUPS

_SHOWN = 3
_COMMON = ("name", "kind", "modality")  # what most parts have: nobody means it by the word alone


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
        if hint := _called(base, word):
            return hint
    if hint := suggest(name, siblings, path):
        return hint
    if not path and (hint := suggest(name, [found.rpartition(".")[2] for found in _keys(base)])):
        word = hint.removeprefix("; did you mean ").removesuffix("?")
        return f"; did you mean {min((one for one in _keys(base) if one.rpartition('.')[2] == word), key=len)}?"
    return f"; {path.rstrip('.') or 'a trial'} has {', '.join(siblings) or 'nothing'}"


def _called(base: DictConfig, word: str) -> str:
    """Where a setting of this name is: by its name elsewhere, in the configuration, or in what could be chosen."""
    if word in elsewhere.WORDS:
        return f"; write {elsewhere.WORDS[word]}"
    known = [found for found in _keys(base) if found.rpartition(".")[2] == word]
    least = min((found.count(".") for found in known), default=0)
    known = [found for found in known if found.count(".") == least]
    if near := dict.fromkeys([*([elsewhere.KEYS[word]] if word in elsewhere.KEYS else []), *known]):
        return f"; did you mean {' or '.join(list(near)[:_SHOWN])}?"
    inner = [found for found in _every_key() if found.rpartition(".")[2] == word and word not in _COMMON]
    if inner:
        return f"; did you mean {min(inner, key=lambda found: found.count('.'))}?"
    for group in GROUPS:
        for kind, options in groups.options(group).items():
            if word in (one.name for one in fields(options)) and word not in _COMMON:
                return f"; {group}.{word} is a setting of {_choice(group, kind, word)}"
    return ""


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
