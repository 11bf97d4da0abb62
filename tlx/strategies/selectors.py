"""Names for parts of a network that hold for any backbone.

======================  =====================================================================
``head`` ``backbone``   the last stage; every other stage
``stem``                the first stage
``all``                 everything
``stages[-2:]``         backbone stages by Python index or slice; ``stages[50%:]`` by share
``norm`` ``bias``       parameters of normalisation layers; parameters called bias
``re:<pattern>``        parameters whose full name the regular expression finds
======================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from tlx.backbones.stages import HEAD, Stage
from tlx.config.errors import ConfigError, Problem, nearest

WORDS = ("head", "backbone", "stem", "all", "norm", "bias")
_INDEX = re.compile(r"^stages\[\s*(?P<one>-?\d+)\s*\]$")
_SLICE = re.compile(r"^stages\[\s*(?P<from>-?\d+%?)?\s*:\s*(?P<to>-?\d+%?)?\s*\]$")


def select(train: Sequence[str], freeze: Sequence[str], stages: Sequence[Stage], key: str) -> frozenset[str]:
    """Names of the parameters chosen by ``train`` less those of ``freeze``.

    Raises :class:`ConfigError` at ``key`` for a selector that cannot be read or matches nothing, and for an empty set.
    """
    problems: list[Problem] = []
    chosen: set[str] = set()
    for field, selectors in (("train", train), ("freeze", freeze)):
        for selector in selectors:
            found = _match(selector, stages)
            if isinstance(found, str):
                problems.append(Problem(f"{key}.{field}", found, selector))
                continue
            if not found:
                problems.append(Problem(f"{key}.{field}", "matches no parameter of this backbone", selector))
            chosen = chosen | found if field == "train" else chosen - found
    if not problems and not chosen:
        problems.append(Problem(f"{key}.train", "nothing is left to train after freeze", list(train)))
    if problems:
        raise ConfigError(problems)
    return frozenset(chosen)


def _match(selector: str, stages: Sequence[Stage]) -> set[str] | str:
    """Parameter names, or what is wrong with the selector."""
    body = [stage for stage in stages if stage.name != HEAD]
    whole = {"head": [s for s in stages if s.name == HEAD], "backbone": body, "stem": body[:1], "all": list(stages)}
    if selector in whole:
        return {name for stage in whole[selector] for name in stage.names}
    if selector == "norm":
        norms = {id(p) for m in stages[0].model.modules() if is_norm(m) for p in m.parameters(recurse=False)}
        return {n for s in stages for n, p in zip(s.names, s.parameters(), strict=True) if id(p) in norms}
    if selector == "bias":
        return {name for stage in stages for name in stage.names if name.rsplit(".", 1)[-1].endswith("bias")}
    if selector.startswith("re:"):
        try:
            pattern = re.compile(selector[3:])
        except re.error as error:
            return f"not a regular expression: {error}"
        return {name for stage in stages for name in stage.names if pattern.search(name)}
    if match := _INDEX.match(selector):
        index = int(match["one"])
        if not -len(body) <= index < len(body):
            return f"this backbone has {len(body)} stages"
        return set(body[index].names)
    if match := _SLICE.match(selector):
        part = body[_edge(match["from"], len(body)) : _edge(match["to"], len(body))]
        return {name for stage in part for name in stage.names}
    return f"not a selector{nearest(selector, WORDS) or '; expected ' + ', '.join(WORDS) + ', stages[a:b] or re:...'}"


def _edge(text: str | None, count: int) -> int | None:
    if text is None:
        return None
    return round(int(text[:-1]) / 100 * count) if text.endswith("%") else int(text)


def is_norm(module: nn.Module) -> bool:
    """Is this a normalisation layer? (by name: timm and transformers bring many of their own)"""
    learned = any(True for child in module.children() for _ in child.parameters())  # timm's may hold an activation
    return "norm" in type(module).__name__.lower() and not learned
