"""One phase written, several run: a level of stages more, a level at a time, or a random half."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tlx.backbones.partition.stages import Stage
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy import Expand, Phase
from tlx.strategies.selectors import matching, select


def trainable_sets(options: Phase, stages: Sequence[Stage], epochs: int, seed: int, key: str) -> list[frozenset[str]]:
    """What each phase of ``options.expand`` trains, the whole of it taking ``epochs``.

    ``train`` trains in every one of them, ``freeze`` in none. Raises :class:`ConfigError` at ``key``.
    """
    how = options.expand
    assert how is not None
    base = select(options.train, options.freeze, stages, key) if options.train else frozenset()
    frozen = _union(matching(selector, stages, f"{key}.freeze") for selector in options.freeze)
    reach = _union(matching(selector, stages, f"{key}.expand.over") for selector in how.over)
    body = [frozenset(stage.names) & reach - frozen - base for stage in stages]
    body = [names for names in body if names]
    if not body:
        raise ConfigError([ConfigIssue(f"{key}.expand", "no stage is left to add", how.over)])
    if how.order == "random_half":
        return [base | half for half in _halves(body, how.levels or max(1, epochs), seed)]
    return [base | level for level in _levels(how, body)]


def _levels(how: Expand, body: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Neighbouring stages as levels, in the order asked for."""
    parts = np.array_split(np.arange(len(body)), min(how.levels or len(body), len(body)))
    levels = [_union(body[int(i)] for i in part) for part in parts]
    if how.order == "deep_to_shallow":
        levels.reverse()
    return [_union(levels[: i + 1]) for i in range(len(levels))] if how.cumulative else levels


def _halves(body: Sequence[frozenset[str]], count: int, seed: int) -> list[frozenset[str]]:
    """Half of the stages (rounded up), drawn anew for each phase (Hui et al. 2024, half fine-tuning)."""
    half = -(-len(body) // 2)
    draws = [np.random.default_rng((seed, i)).permutation(len(body))[:half] for i in range(count)]
    return [_union(body[int(i)] for i in draw) for draw in draws]


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    empty: frozenset[str] = frozenset()
    return empty.union(*sets)
