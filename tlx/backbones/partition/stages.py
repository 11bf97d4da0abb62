"""Cut any network into stages: the ordered units of freezing, shallow to deep, the head last.

Together the stages hold every parameter exactly once, by identity; a tensor tied into several places belongs to the
first stage that uses it and is listed as ``tied`` by the others. The cut comes from, in order of preference: explicit
patterns; timm's own fine ``group_matcher``; the block lists of :mod:`tlx.backbones.partition.blocks`. A dry run, where
an example makes one possible, puts the stages in the order in which they are first used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from tlx.backbones.partition.blocks import parts
from tlx.backbones.partition.dry_run import first_use
from tlx.backbones.partition.heads import head_names
from tlx.backbones.partition.merging import merge
from tlx.backbones.partition.naming import named
from tlx.backbones.partition.order_stages import Group, in_order, order_stages
from tlx.backbones.partition.stage import HEAD, Stage, digest, outlet, table, verify
from tlx.backbones.partition.towers import towers
from tlx.config import patterns

_log = logging.getLogger(__name__)
__all__ = ["HEAD", "Stage", "digest", "merge", "outlet", "stages", "table", "verify"]


def stages(
    model: nn.Module,
    explicit: Sequence[str] = (),
    example: Mapping[str, Any] | None = None,
    unfinished: Callable[[], None] = lambda: None,
) -> list[Stage]:
    """The stages of a bare backbone, of a timm or transformers model with its head, or of ``backbone`` + ``head``.

    ``explicit`` are regular expressions, one per stage in order, looked for in the backbone's parameter names; the
    first that is found decides. ``example`` are keyword inputs of the backbone's forward; ``unfinished`` is called
    where a dry run with them does not end, and may raise. Raises :class:`ValueError` for a parameter that no pattern
    finds, for a pattern that finds nothing, and for one that cannot be searched for.
    """
    backbone, head = getattr(model, "backbone", None), getattr(model, "head", None)
    whole = isinstance(backbone, nn.Module) and isinstance(head, nn.Module) and not _has_head_of_its_own(model)
    body, path = (backbone, "backbone.") if whole and isinstance(backbone, nn.Module) else (model, "")
    held = [] if whole else head_names(body)
    names = [name for name, _ in body.named_parameters(remove_duplicate=False)]
    rest = [name for name in names if name not in set(held)]
    times = _times(body, rest, example, unfinished) if not explicit else {}
    groups = _by_patterns(rest, explicit) if explicit else _by_towers(body, rest, times)
    groups = [Group(g.block, [path + name for name in g.names], g.tower, g.name) for g in named(groups)]
    if whole and isinstance(head, nn.Module):
        last = [f"head.{name}" for name, _ in head.named_parameters(remove_duplicate=False)]
    else:
        last = held
    cut = _owned(model, [*groups, *([Group("", last, "", HEAD)] if last else [])])
    verify(model, cut)
    return cut


def _has_head_of_its_own(model: nn.Module) -> bool:
    return hasattr(model, "group_matcher") or hasattr(model, "base_model_prefix")


def _times(
    body: nn.Module, names: list[str], example: Mapping[str, Any] | None, unfinished: Callable[[], None]
) -> dict[str, int]:
    """When the tensors called ``names`` are first used; a tied one counts at its first name alone.

    Empty where the dry run ended before it had been in every block; many fail after that, in a head that asks for
    values.
    """
    if example is None:
        return {}
    used, finished = first_use(body, example)
    if not finished:
        unfinished()
    wanted = set(names)
    times = {name: used[id(p)] for name, p in body.named_parameters() if id(p) in used and name in wanted}
    blocks = [part for part in parts(body, names) if part.block]
    reached = bool(blocks) and all(any(name in times for name in part.names) for part in blocks)
    if finished or reached:
        return times
    _log.warning("the stages are in the order of registration: the network cannot be followed without values")
    return {}


def _by_patterns(names: list[str], explicit: Sequence[str]) -> list[Group]:
    groups: list[Group] = []
    lost = names
    for pattern in explicit:  # each of what those before it have left
        own = _found(pattern, lost)
        groups.append(Group("", own))
        taken = set(own)
        lost = [name for name in lost if name not in taken]
    if lost:
        more = ", ..." if len(lost) > 3 else ""
        raise ValueError(f"{len(lost)} parameters match none of the patterns: {', '.join(lost[:3])}{more}")
    idle = [pattern for pattern, group in zip(explicit, groups, strict=True) if not group.names]
    if idle:
        raise ValueError(f"these patterns match no parameter that is left to them: {', '.join(idle)}")
    return groups


def _found(pattern: str, names: list[str]) -> list[str]:
    try:
        return patterns.found(pattern, names)
    except patterns.Refused as error:
        raise ValueError(f"{pattern}: {error}") from None


def _by_towers(body: nn.Module, names: list[str], times: dict[str, int]) -> list[Group]:
    """One tower after the other; then what they share, as one run unless it has blocks of its own."""
    if hasattr(body, "group_matcher"):
        return _by_timm(body, names, times)
    paths = towers(body)
    groups: list[Group] = []
    for path in paths:
        own = [name for name in names if name.startswith(f"{path}.")]
        tower = path.rpartition(".")[2]
        groups += [Group(g.block, g.names, tower) for g in order_stages(body, parts(body, own), times, single=False)]
    rest = [name for name in names if not any(name.startswith(f"{path}.") for path in paths)]
    found = parts(body, rest)
    if paths and rest and not any(part.block for part in found):
        return [*groups, Group("", rest)]
    return groups + order_stages(body, found, times, single=not paths)


def _by_timm(model: nn.Module, names: list[str], times: dict[str, int]) -> list[Group]:
    from timm.models import group_parameters

    found = group_parameters(model, model.group_matcher(coarse=False))  # type: ignore[operator]
    kept = set(names)
    groups = [Group("", [name for name in found[key] if name in kept]) for key in sorted(found)]
    return in_order([group for group in groups if group.names], times)


def _owned(model: nn.Module, groups: list[Group]) -> list[Stage]:
    """Stages of the groups: each tensor in the first one that uses it. One left with nothing but ties is no stage,
    unless it is the head: the next one takes its ties over.
    """
    own = dict(model.named_parameters(remove_duplicate=False))
    owner: dict[int, int] = {}
    cut: list[Stage] = []
    waiting: list[str] = []
    for i, group in enumerate(groups):
        names, tied = [], waiting
        for name in group.names:
            if id(own[name]) not in owner:
                owner[id(own[name])] = i
                names.append(name)
            elif owner[id(own[name])] != i:
                tied.append(name)
        keep = names or group.name == HEAD
        waiting = [] if keep else tied
        if keep:
            cut.append(Stage(group.name, model, tuple(names), group.tower, tuple(tied)))
    return cut
