"""Fewer, larger stages: neighbours joined so that the largest is as small as it can be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from tlx.backbones.partition.stage import HEAD, Stage


def merge(cut: Sequence[Stage], max_stages: int) -> list[Stage]:
    """At most ``max_stages`` backbone stages in each tower, the head apart; among equals, the earlier borders.

    Raises :class:`ValueError` for fewer than one.
    """
    if max_stages < 1:
        raise ValueError(f"max_stages is {max_stages}; at least 1 is needed")
    merged: list[Stage] = []
    for (_, is_head), run in groupby(cut, key=lambda stage: (stage.tower, stage.name == HEAD)):
        neighbours = list(run)
        if is_head or len(neighbours) <= max_stages:
            merged += neighbours
            continue
        borders = [0, *balance([stage.count for stage in neighbours], max_stages), len(neighbours)]
        merged += [_join(neighbours[a:b]) for a, b in pairwise(borders)]
    return merged


def balance(weights: Sequence[int], parts: int) -> list[int]:
    """Where to cut ``weights`` into exactly ``parts`` runs so that the heaviest is lightest; the earliest such cuts."""
    count = len(weights)
    upto = [0]
    for weight in weights:
        upto.append(upto[-1] + weight)
    # best[k][i]: the heaviest of k runs that hold weights[i:], at best
    best = [[0] * (count + 1) for _ in range(parts + 1)]
    best[1] = [upto[count] - upto[i] for i in range(count + 1)]
    for k in range(2, parts + 1):
        for i in range(count - k + 1):
            best[k][i] = min(max(upto[j] - upto[i], best[k - 1][j]) for j in range(i + 1, count - k + 2))
    heaviest, start, cuts = best[parts][0], 0, []
    for k in range(parts - 1, 0, -1):
        start = next(
            j for j in range(start + 1, count - k + 1) if upto[j] - upto[start] <= heaviest and best[k][j] <= heaviest
        )
        cuts.append(start)
    return cuts


def _join(run: Sequence[Stage]) -> Stage:
    if len(run) == 1:
        return run[0]
    first, last = run[0], run[-1]
    names = tuple(name for stage in run for name in stage.names)
    tied = tuple(name for stage in run for name in stage.tied)
    return Stage(f"{first.name} to {last.name}", first.model, names, first.tower, tied)
