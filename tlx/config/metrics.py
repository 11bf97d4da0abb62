"""What a person can say about the metrics that tlx brings beside those that a task always has."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class FBeta:
    """F-beta of the classes: recall counts ``beta`` times as much as precision (van Rijsbergen 1979)."""

    beta: float = option(2.0, "how much more recall counts", above=0)
    average: str = option(help="over classes, or over examples", choices=("macro", "micro", "weighted"))


@dataclass
class Matthews:
    """Matthews' correlation of classes (Matthews 1975): 0 is chance, however unequal the classes."""


@dataclass
class TopK:
    """How often the right class is among the ``k`` likeliest."""

    k: int = option(5, "classes that are looked at", above=0)


@dataclass
class AUROC:
    """Area under the ROC curve, of each class against the others, the mean over classes."""


@dataclass
class CalibrationError:
    """How far probabilities are from how often they come true (ECE: Guo et al. 2017)."""

    bins: int = option(15, "of equal width", above=0)


@dataclass
class Pearson:
    """Pearson's correlation of numbers with those predicted."""


@dataclass
class MAPE:
    """Mean absolute error as a share of the number itself (undefined where that is 0)."""
