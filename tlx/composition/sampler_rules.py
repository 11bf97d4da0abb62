"""Rules for how examples are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlx.composition.strategy_rules import EXACT
from tlx.config.dataset import SHUFFLE
from tlx.config.errors import ConfigIssue


def sampler_fits(config: Any) -> Iterator[ConfigIssue]:
    """A sampler has a phase that draws, and classes are not evened out twice."""
    sampler = config.dataset.sampler
    loss = getattr(config.task, "loss", None)
    weighs, weights = getattr(loss, "class_weight", "none"), getattr(loss, "weights", None)
    if sampler == SHUFFLE:
        return
    if config.strategy.phases and all(phase.solver in EXACT for phase in config.strategy.phases):
        message = f"a phase that is solved exactly sees each example once; use dataset.sampler={SHUFFLE}"
        yield ConfigIssue("dataset.sampler", message, sampler)
    message = f"rare classes would count twice over, by this and by dataset.sampler={sampler}; leave one of the two"
    if weighs != "none":
        yield ConfigIssue("task.loss.class_weight", message, weighs)
    if weights:
        yield ConfigIssue("task.loss.weights", message, dict(weights))
