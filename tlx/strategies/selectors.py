"""Names for parts of a network that hold for any backbone.

=========================  ==================================================================
``head`` ``backbone``      the last stage; every other stage
``stem``                   the first stage
``all``                    everything
``stages[-2:]``            backbone stages by Python index or slice; ``stages[50%:]`` by share
``tower:text.stages[0]``   the same of one tower, where a network has several side by side
``norm`` ``bias``          parameters of normalisation layers; parameters called bias
``peft``                   what ``strategy.peft`` put in
``type:<Class>``           parameters of modules of this class
``re:<pattern>``           parameters whose full name the regular expression finds
=========================  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from torch import nn

from tlx.backbones.partition.stages import HEAD, Stage
from tlx.config import patterns
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.strategies.peft import adapters

WORDS = ("head", "backbone", "stem", "all", "norm", "bias", "peft")
_FORMS = "stages[a:b], tower:<name>.stages[a:b], type:<Class> or re:<pattern>"
_TOWER = re.compile(r"^tower:(?P<name>[^.\[]+)(?:\.(?P<rest>.+))?$")
_INDEX = re.compile(r"^stages\[\s*(?P<one>-?\d{1,9})\s*\]$")
_SLICE = re.compile(r"^stages\[\s*(?P<from>-?\d{1,9}%?)?\s*:\s*(?P<to>-?\d{1,9}%?)?\s*\]$")


def select(train: Sequence[str], freeze: Sequence[str], stages: Sequence[Stage], key: str) -> frozenset[str]:
    """Names of the parameters chosen by ``train`` less those of ``freeze``.

    Raises :class:`ConfigError` at ``key`` for a selector that cannot be read or matches nothing, for an empty set,
    and for a tensor that would be trained under one of its names and frozen under another.
    """
    problems: list[ConfigIssue] = []
    chosen: set[str] = set()
    for field, selectors in (("train", train), ("freeze", freeze)):
        for selector in selectors:
            found = _match(selector, stages)
            if isinstance(found, str):
                problems.append(ConfigIssue(f"{key}.{field}", found, selector))
                continue
            if not found:
                problems.append(ConfigIssue(f"{key}.{field}", "matches no parameter of this backbone", selector))
            chosen = chosen | found if field == "train" else chosen - found
    if not problems and not chosen:
        problems.append(ConfigIssue(f"{key}.train", "nothing is left to train after freeze", list(train)))
    if not problems:
        problems += _torn(chosen, stages, key, train)
    if problems:
        raise ConfigError(problems)
    return frozenset(chosen & {name for stage in stages for name in stage.names})


def matching(selector: str, stages: Sequence[Stage], key: str) -> frozenset[str]:
    """Names of the parameters one selector finds, a tied one by its first; raises :class:`ConfigError` at ``key``."""
    found = _match(selector, stages) or "matches no parameter of this backbone"
    if isinstance(found, str):
        raise ConfigError([ConfigIssue(key, found, selector)])
    if not any(stage.tied for stage in stages):
        return frozenset(found)
    own = dict(stages[0].model.named_parameters(remove_duplicate=False))
    first = {id(own[name]): name for stage in stages for name in stage.names}
    return frozenset(first[id(own[name])] for name in found)


def _torn(chosen: set[str], stages: Sequence[Stage], key: str, train: Sequence[str]) -> list[ConfigIssue]:
    """Tied tensors of which one name is chosen and another is not."""
    if not any(stage.tied for stage in stages):
        return []
    own = dict(stages[0].model.named_parameters(remove_duplicate=False))
    place = {name: stage.name for stage in stages for name in _names(stage)}
    aliases: dict[int, list[str]] = {}
    for name in place:
        aliases.setdefault(id(own[name]), []).append(name)
    problems = []
    for names in aliases.values():
        inside, outside = [n for n in names if n in chosen], [n for n in names if n not in chosen]
        if inside and outside:
            one, other = f"{inside[0]} ({place[inside[0]]})", f"{outside[0]} ({place[outside[0]]})"
            message = f"{one} would train and {other} stay frozen, but they are one tied tensor: select both or neither"
            problems.append(ConfigIssue(f"{key}.train", message, list(train)))
    return problems


def _names(stage: Stage) -> set[str]:
    """Every name of a stage, those of tensors that are tied to another stage's included."""
    return {*stage.names, *stage.tied}


def _union(stages: Iterable[Stage]) -> set[str]:
    return {name for stage in stages for name in _names(stage)}


def _match(selector: str, stages: Sequence[Stage]) -> set[str] | str:
    """Parameter names, or what is wrong with the selector."""
    body = [stage for stage in stages if stage.name != HEAD]
    towers = sorted({stage.tower for stage in body} - {""})
    if selector == "head":
        return _union(stage for stage in stages if stage.name == HEAD)
    if selector == "backbone":
        return _union(body)
    if selector == "all":
        return _union(stages)
    if selector == "norm":
        return _inside((m for m in stages[0].model.modules() if is_norm(m)), stages)
    if selector == "bias":
        return {name for name in _union(stages) if name.rsplit(".", 1)[-1].endswith("bias")}
    if selector == "peft":
        return set(adapters.names(stages[0].model)) or "strategy.peft put nothing in; choose one, such as strategy=lora"
    if selector.startswith("type:"):
        return _inside((m for m in stages[0].model.modules() if type(m).__name__ == selector[5:]), stages)
    if selector.startswith("re:"):
        try:
            return set(patterns.found(selector[3:], sorted(_union(stages))))
        except patterns.Refused as error:
            return str(error)
    if match := _TOWER.match(selector):
        if match["name"] not in towers:
            have = f"its towers are {', '.join(towers)}" if towers else "it is a single tower; write stages[...]"
            return f"this backbone has no such tower{suggest(match['name'], towers)}; {have}"
        tower = [stage for stage in body if stage.tower == match["name"]]
        return _union(tower) if match["rest"] is None else _of(match["rest"], tower) or _strange(match["rest"])
    found = _of(selector, body)
    if found is not None and towers:
        return f"this backbone has the towers {', '.join(towers)}; write tower:{towers[0]}.{selector}"
    return _strange(selector) if found is None else found


def _of(selector: str, body: Sequence[Stage]) -> set[str] | str | None:
    """``stem`` or ``stages[...]`` of one tower; nothing if it is neither."""
    if selector == "stem":
        return _union(body[:1])
    if match := _INDEX.match(selector):
        index = int(match["one"])
        if not -len(body) <= index < len(body):
            return f"there are {len(body)} stages"
        return _names(body[index])
    if match := _SLICE.match(selector):
        return _union(body[_edge(match["from"], len(body)) : _edge(match["to"], len(body))])
    return None


def _strange(selector: str) -> str:
    return f"not a selector{suggest(selector, WORDS) or '; expected ' + ', '.join(WORDS) + ', ' + _FORMS}"


def _inside(modules: Iterable[nn.Module], stages: Sequence[Stage]) -> set[str]:
    """Every name of the parameters within these modules."""
    held = {id(parameter) for module in modules for parameter in module.parameters()}
    own = dict(stages[0].model.named_parameters(remove_duplicate=False))
    return {name for name in _union(stages) if id(own[name]) in held}


def _edge(text: str | None, count: int) -> int | None:
    if text is None:
        return None
    return round(int(text[:-1]) / 100 * count) if text.endswith("%") else int(text)


def is_norm(module: nn.Module) -> bool:
    """Is this a normalisation layer? (by name: timm and transformers bring many of their own)"""
    learned = any(True for child in module.children() for _ in child.parameters())  # timm's may hold an activation
    return "norm" in type(module).__name__.lower() and not learned
