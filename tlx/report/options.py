"""What a study asks: its arms, its axis, its seeds and the question they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import choice


@dataclass
class Arm:
    """One way of doing it: what it sets, and what is tuned for it on validation."""

    overrides: list[str] = field(default_factory=list)
    # key -> values tried with the first seed, at each point of the axis; the best on validation is used
    tune: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Study:
    """A named sweep with a question: arms x axis x seeds, compared pairwise with a control."""

    question: str = MISSING
    arms: dict[str, Arm] = field(default_factory=dict)
    # the key on the horizontal axis and its values
    axis: str = MISSING
    points: list[Any] = field(default_factory=list)
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    # what tuning goes by, on validation; the loss says more than a score on a few hundred examples
    tune_on: str = choice("loss", "score")
    # the arm every other is compared with
    control: str = MISSING
    # the share of the metric at which an arm counts as having learned
    target: float = 0.9
    # the pretraining experiment, for the cost table
    source: str | None = None
