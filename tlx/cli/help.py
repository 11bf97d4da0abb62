"""tlx help [verb or setting]: what a verb does, or what a setting is for and what it takes.

tlx help strategy.budget         (its meaning, its type, its default, what it allows)
tlx help strategy                (every setting of a group)
tlx help sweep                   (a verb)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from typing import Any, get_args, get_type_hints

from omegaconf import MISSING as REQUIRED

from tlx.cli import VERBS
from tlx.cli.arguments import Arguments
from tlx.components import groups
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.fields import CHOICES, HELP, IDENTITY, RANGE, ROUNDING
from tlx.config.schema import GROUPS
from tlx.reports.console import Terminal


def run(words: list[str]) -> int:
    """The verb."""
    asked = Arguments().take(words).words
    if len(asked) != 1:
        raise ConfigError(
            [ConfigIssue("help", "expected one verb or setting, as: tlx help strategy.budget", " ".join(asked))]
        )
    (word,) = asked
    console = Terminal()
    if word in VERBS:
        console.print((import_module(f"tlx.cli.{word}").__doc__ or "").strip(), markup=False, soft_wrap=True)
        return 0
    found = _find(word)
    if not found:
        known = [key for group in (*GROUPS, *_parts()) for key in _keys(group)]
        hint = suggest(word, known) or suggest(word.rpartition(".")[2], [key.rpartition(".")[2] for key in known])
        raise ConfigError([ConfigIssue("help", f"no such verb or setting{hint} (tlx help strategy)", word)])
    for line in found:
        console.print(line, markup=False, soft_wrap=True)
    return 0


def _parts() -> list[str]:
    """The top keys that are no groups."""
    return [one.name for one in fields(groups.trial_schema()) if one.name not in GROUPS]


def _kinds(group: str) -> dict[str, Any]:
    """The option classes behind a top key, by the choice that gives them."""
    return groups.options(group) or {"": _inner(get_type_hints(groups.trial_schema())[group])}


def _inner(hint: Any) -> Any:
    """The dataclass in a type, also in a list, a mapping or an optional of it; else the type."""
    for one in (hint, *get_args(hint), *(inner for part in get_args(hint) for inner in get_args(part))):
        if is_dataclass(one):
            return one
    return hint


def _find(key: str) -> list[str]:
    """Say what there is to say of a key, for each choice of its group that has it, once."""
    steps = [step for step in key.split(".") if not step.isdigit()]
    if steps[0] not in (one.name for one in fields(groups.trial_schema())):
        return []
    if len(steps) == 1:
        own = next(one for one in fields(groups.trial_schema()) if one.name == steps[0])
        settings = [line for kind in _kinds(steps[0]).values() if is_dataclass(kind) for line in _settings(kind)]
        return [*_described(own, get_type_hints(groups.trial_schema())[steps[0]]), *dict.fromkeys(settings)]
    told: dict[tuple[str, ...], list[str]] = {}
    for choice, start in _kinds(steps[0]).items():
        kind, found = start, list[str]()
        for step in steps[1:]:
            field = next((one for one in fields(kind) if one.name == step), None) if is_dataclass(kind) else None
            if field is None:
                found = []
                break
            hint = get_type_hints(kind)[step]
            kind = _inner(hint)
            found = [*_described(field, hint), *(_settings(kind) if is_dataclass(kind) else ())]
        if found:
            told.setdefault(tuple(found), []).append(choice)
    lines = list[str]()
    for said, choices in told.items():
        named = [f"{steps[0]}: {', '.join(choices)}"] if len(told) > 1 else []
        lines += [*named, *said]
    return lines


def _described(field: Field[Any], hint: Any) -> list[str]:
    """What a setting is for, what it takes, and what it is where nothing is said."""
    lines = [f"{field.name}: {field.metadata.get(HELP, '')}".rstrip(": ")]
    if words := field.metadata.get(CHOICES):
        lines.append(f"  one of {', '.join(words)}")
    elif not is_dataclass(_inner(hint)):
        lines.append(f"  {_type(hint)}{', ' + str(field.metadata[RANGE]) if RANGE in field.metadata else ''}")
    default = _default(field)
    if default is not None:
        lines.append(f"  default: {default}")
    if field.metadata.get(ROUNDING):
        lines.append("  two that differ only here are the same, up to the last bits of their numbers")
    elif not field.metadata.get(IDENTITY, True):
        lines.append("  says where or how a trial runs: two that differ only here are the same")
    return lines


def _settings(kind: Any) -> list[str]:
    """The settings of a part, a line each."""
    return [f"  .{one.name:<16} {one.metadata.get(HELP, '')}".rstrip() for one in fields(kind)]


def _default(field: Field[Any]) -> str | None:
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    if value is MISSING or is_dataclass(value):
        return None
    if value == REQUIRED:
        return "none: it has to be given"
    return json.dumps(value)


def _type(hint: Any) -> str:
    names = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "NoneType": "null"}
    if hint in (int, float, str, bool, type(None)):
        return names[hint.__name__]
    parts = get_args(hint)
    if not parts or hint is Any:
        return "anything"
    if type(None) in parts:
        return " or ".join(_type(part) for part in parts)
    if getattr(hint, "__origin__", None) is list:
        return f"a list, each {_type(parts[0])}"
    return f"keys and values, each {_type(parts[1])}"


def _keys(group: str) -> Iterator[str]:
    for kind in _kinds(group).values():
        yield from _below(kind, group)


def _below(kind: Any, path: str) -> Iterator[str]:
    yield path
    for one in fields(kind) if is_dataclass(kind) else ():
        yield from _below(_inner(get_type_hints(kind)[one.name]), f"{path}.{one.name}")
