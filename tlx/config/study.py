"""What a study asks: its arms, its axis, its seeds and the question they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Arm:
    """One way of doing it: what it sets, and what is tuned for it on validation."""

    overrides: list[str] = option(help="what it sets, as on the command line", factory=list)
    tune: dict[str, list[Any]] = option(
        help="key -> values tried with the first seed, at each point of the axis; the best on validation is used",
        factory=dict,
    )


@dataclass
class Study:
    """A named sweep with a question: arms x axis x seeds, compared pairwise with a control."""

    question: str = option(MISSING, "what the study asks")
    arms: dict[str, Arm] = option(help="name -> one way of doing it", factory=dict)
    axes: dict[str, list[Any]] = option(
        help="groups or settings -> values: an arm more for each combination, called 'value + value'", factory=dict
    )
    tune: dict[str, list[Any]] = option(
        help="what is tuned for each of those arms: key -> values tried, as an arm's tune", factory=dict
    )
    axis: str = option(MISSING, "the key on the horizontal axis and its values")
    points: list[Any] = option(help="the values of the axis", factory=list)
    seeds: list[int] = option(help="each arm is trained with, at each point", factory=lambda: [0, 1, 2, 3, 4])
    tune_on: str = option(
        help="what tuning goes by, on validation; the loss says more than a score on a few hundred examples",
        choices=("loss", "score"),
    )
    control: str = option(MISSING, "the arm every other is compared with")
    target: float = option(0.9, "the share of the metric at which an arm counts as having learned")
    source: str | None = option(None, "the pretraining experiment, for the cost table")
