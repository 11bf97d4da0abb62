"""What a phase would save by reading its frozen prefix instead of computing it, from shapes alone.

An estimate with assumed speeds; the trial itself measures before it decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from tlx.config.schema import Trial
from tlx.feature_cache.cut import FrozenPrefix, NotCacheable, cut, reads_tokens
from tlx.feature_cache.policy import READ, Need, free_memory, is_profitable, keeping_is_profitable
from tlx.feature_cache.writer import Costs

_FLOPS = 3e10  # per second of one core
_OBSTACLE_AUGMENTED = "training examples are augmented anew (reuse.augment)"


@dataclass(frozen=True)
class CacheEstimate:
    """Of one phase: after which modules the network goes on, what that keeps on disk, and what it saves."""

    sites: str
    bytes: float
    share: float  # of the phase's FLOPs
    cut: FrozenPrefix


def cache_estimate(
    trial: Trial,
    model: nn.Module,
    trainable: frozenset[str],
    *,
    tokens: int,
    forward: float,
    backward: float,
    steps: int,
    rounds: int,
    n_train: int,
    n_val: int,
    batch: int,
    before: FrozenPrefix | None = None,
) -> CacheEstimate | str:
    """The saving of a phase whose model is frozen as it will be, or why there is none.

    ``forward`` and ``backward`` are FLOPs per example. Validation counts, training only where nothing is random.
    ``before``: the constant part that an earlier phase computes once, of tensors that nothing has trained since; what
    lies within it is kept by the same pass.
    """
    if trial.reuse.when == "off":
        return "reuse.when=off"
    try:
        found = cut(model, trainable)
    except NotCacheable as reason:
        return str(reason)
    augmented = trial.dataset.augment != "none"
    plain = augmented and trial.reuse.augment == "off" and found.is_features
    views = trial.reuse.views if augmented and not plain else 0
    reads = {"val": (n_val, float(rounds))}
    if not augmented or plain or views:
        reads["train"] = (n_train * max(1, views), steps * batch / max(1, n_train) / max(1, views))
    constant = found.cost / found.whole * forward
    length = float(tokens) if reads_tokens(model) else 1.0
    size = sum(leaf.size(length) for leaves in found.leaves.values() for leaf in leaves)
    needs = [Need(examples, passes) for examples, passes in reads.values()]
    looked = found.is_features or any(need.plenty for need in needs)
    passed = before is not None and found.tensors <= before.tensors
    kept = saved = 0.0
    for need in needs:
        costs = Costs(constant / _FLOPS, size / READ)
        if passed:
            worth = looked and keeping_is_profitable(need, costs.compute, costs.write, size, free_memory())
        else:
            worth = looked and need.enough and is_profitable(need, costs, size, free_memory())
        if trial.reuse.when == "always" or worth:
            kept += need.examples * size
            saved += (need.passes - (0 if passed else 1)) * need.examples * constant
    if not kept:
        return "too short to pay" if "train" in reads else _OBSTACLE_AUGMENTED
    total = steps * batch * (forward + backward) + rounds * n_val * forward
    sites = ", ".join(str(site).removeprefix("backbone.") for site in found.sites)
    return CacheEstimate(sites, kept, saved / total if total and math.isfinite(saved) else 0.0, found)
