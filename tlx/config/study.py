"""What a study asks: its arms, its axis, its seeds and the question they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option

# sources of variation, and the setting that is the seed of each; ``seed`` itself is of all that have none of their own
SOURCES = {
    "split": "dataset.split_seed",
    "fold": "dataset.fold",
    "shots": "dataset.shots_seed",
    "init": "init_seed",
    "order": "order_seed",
}


@dataclass
class Arm:
    """One way of doing it: what it sets, and what is tuned for it on validation."""

    overrides: list[str] = option(help="what it sets, as on the command line", factory=list)
    tune: dict[str, list[Any]] = option(
        help="key -> values tried at each point of the axis with the seeds that tune; the best on validation is used",
        factory=dict,
    )


@dataclass
class Variance:
    """How much of the spread each source of variation brings: it alone is varied (Bouthillier et al. 2021)."""

    arms: list[str] = option(help="measured for these; empty: the control", factory=list)
    seeds: list[int] = option(help="that a source is varied over, the others at the first", factory=list)


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
    seeds: list[int] = option(
        help="each arm is trained with, at each point, and reported", factory=lambda: [0, 1, 2, 3, 4]
    )
    tune_seeds: list[int] | None = option(
        help="seeds that choose among what is tuned, apart from those reported: the best mean is used; "
        "null: each reported seed chooses for itself",
        factory=lambda: [1000],
    )
    tune_on: str = option(
        help="what tuning goes by, on validation; the loss says more than a score on a few hundred examples",
        choices=("loss", "score"),
    )
    vary: list[str] = option(
        help="what differs from seed to seed: split (where it is cut), fold (each seed is one), shots, init (new "
        "weights, dropout), order (of examples, augmentation); the rest is that of the first seed",
        factory=lambda: ["shots", "init", "order"],
    )
    variance: Variance | None = option(None, "measure the share of each of those sources in the spread over seeds")
    validation: str = option(
        help="extra: as the data set says, whose validation labels come on top of its shots by default; within: "
        "dataset.validation=within for all arms",
        choices=("extra", "within"),
    )
    control: str = option(MISSING, "the arm every other is compared with")
    margin: float | None = option(
        None, "differences up to this one do not matter, in the metric's own units: tests equivalence", above=0
    )
    target: float = option(0.9, "the share of the metric at which an arm counts as having learned")
    source: str | None = option(None, "the pretraining experiment, for the cost table")
