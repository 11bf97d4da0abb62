"""Which sizes of images a backbone takes: found out by dry runs, which compute shapes alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch

from tlx.backbones.backbone import Backbone
from tlx.backbones.load import outline
from tlx.backbones.partition.dry_run import ends
from tlx.columns import Column, Image
from tlx.columns.input_spec import ImageSpec
from tlx.config import backbone as options
from tlx.config.errors import ConfigIssue, RequestError

_STEPS = (4, 7, 14, 16, 32)  # patches, windows and strides: sizes that networks take are multiples of them
_REACH = 5  # multiples of the largest that are tried beyond


def problem(config: options.Backbone, backbone: Backbone) -> ConfigIssue | None:
    """Why a backbone whose dry run did not end cannot take images of the size that is asked for.

    None where its size is not to blame: it has none, or the dry run does not end at the network's own size either.
    """
    size = getattr(getattr(config, "input", None), "size", None)
    images = [(name, one) for name, one in backbone.takes.items() if isinstance(one, ImageSpec)]
    if size is None or len(images) != 1:
        return None
    ((argument, spec),) = images
    columns: dict[str, Column] = {"image": Image("image", channels=spec.channels)}

    def built(other: int | None) -> Backbone | None:
        """The network for another size."""
        asked = replace(config, input=replace(config.input, size=other))  # type: ignore[attr-defined, call-arg]
        try:
            with torch.random.fork_rng(devices=[]), torch.device("meta"):  # what is drawn for the trial stays the same
                return outline(asked, columns=columns)
        except (RequestError, ArithmeticError, AssertionError, RuntimeError, ValueError):  # as libraries refuse a size
            return None

    usual = built(None)
    if usual is None or not ends(usual.module, usual.example(2)):
        return None
    is_same = ends(backbone.module, usual.example(2))  # it is built alike for every size

    @cache
    def works(other: int) -> bool:
        made = usual if is_same else built(other)
        if made is None:
            return False
        shape = {**made.example(2)}
        shape[argument] = replace(spec, height=other, width=other).example(2)
        return ends(made.module, shape)

    if works(size):
        return None
    below = _nearest(works, [one for one in _candidates(size) if one < size][::-1], 1)
    above = _nearest(works, [one for one in _candidates(size) if one > size], -1)
    found = [str(one) for one in (below, above) if one is not None]
    hint = f"the nearest sizes that work: {' and '.join(found)}" if found else "leave it at null for the network's own"
    return ConfigIssue("backbone.input.size", f"the network cannot take images of this size; {hint}", size)


def _candidates(size: int) -> list[int]:
    """The next multiples on both sides, and some of the largest step further on, in order."""
    near = {step * (size // step + offset) for step in _STEPS for offset in (-1, 0, 1)}
    far = {_STEPS[-1] * (size // _STEPS[-1] + offset) for offset in range(2, _REACH)}
    return sorted(one for one in near | far if one > 0 and one != size)


def _nearest(works: Callable[[int], bool], candidates: list[int], back: int) -> int | None:
    """The first candidate that works; where the one before it works as well, the nearest of all that do.

    Args:
        works: Tells of a size.
        candidates: From the nearest to the farthest.
        back: A step towards the size that was asked for.
    """
    failed = None
    for one in candidates:
        if works(one):
            break
        failed = one
    else:
        return None
    if failed is None or not works(one + back):
        return one
    low, high = failed, one  # it begins to work somewhere between
    while abs(high - low) > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high
