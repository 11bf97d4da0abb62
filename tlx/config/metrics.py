"""What a person can say about the metrics that tlx brings beside those that a task always has."""

from __future__ import annotations

from dataclasses import dataclass

from tlx.config.fields import option


@dataclass
class FBeta:
    """F-beta of the classes: recall counts ``beta`` times as much as precision (van Rijsbergen 1979)."""

    beta: float = option(2.0, "how much more recall counts", above=0)
    average: str = option(help="over classes, or over examples", choices=("macro", "micro", "weighted"))


_AVERAGE = "macro: classes alike; micro: examples alike; weighted: classes by how many examples they have"
_AVERAGES = ("macro", "micro", "weighted")


@dataclass
class BalancedAccuracy:
    """Mean recall of the classes that are there: 1 / classes is chance, however unequal they are."""


@dataclass
class Precision:
    """Of what is predicted to be of a class, the share that is; 0 for a class that is never predicted."""

    average: str = option(help=_AVERAGE, choices=_AVERAGES)


@dataclass
class Recall:
    """Of what is of a class, the share that is predicted so."""

    average: str = option(help=_AVERAGE, choices=_AVERAGES)


@dataclass
class F1:
    """Harmonic mean of precision and recall."""

    average: str = option(help=_AVERAGE, choices=_AVERAGES)


@dataclass
class Matthews:
    """Matthews' correlation of classes (Matthews 1975): 0 is chance, however unequal the classes."""


@dataclass
class TopK:
    """How often the right class is among the ``k`` likeliest."""

    k: int = option(5, "classes that are looked at", above=0)


@dataclass
class AUROC:
    """Area under the ROC curve, of each class against the others, the mean over the classes that are there."""


@dataclass
class AveragePrecision:
    """Average precision of each class against the others, the mean over the classes that are there."""


@dataclass
class Brier:
    """Squared distance of the probabilities from what is true, summed over classes (Brier 1950).

    Of two classes it is half of that, and of several labels the mean over labels, as in scikit-learn.
    """


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
