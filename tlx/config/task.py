"""What a person can say about a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Loss:
    """What training minimises. Reported as ``loss`` is always the plain cross entropy, which any two trials share."""

    kind: str = option(
        help="cross_entropy, of several labels per example binary for each; focal: easy examples count less (Lin 2017)",
        choices=("cross_entropy", "focal"),
        short=True,
    )
    label_smoothing: float = option(
        0.0, "cross_entropy: share of the target spread over all classes (Szegedy 2016)", least=0, below=1
    )
    gamma: float = option(2.0, "focal: how much less; 0 is cross entropy", least=0)
    class_weight: str = option(
        help="auto: in train, every class weighs as much as any other, and a label's positives as its negatives; "
        "effective: by the effective number of examples (Cui 2019), which evens out less",
        choices=("none", "auto", "effective"),
        refused={"balanced": "is called auto here"},
    )
    weights: dict[str, float] = option(
        help="class -> its weight, in place of what class_weight says; 1 for the others", factory=dict, above=0
    )
    beta: float = option(
        0.999,
        "effective: how much of an example the next of its class adds; 0 weighs all alike, towards 1 is auto",
        least=0,
        below=1,
        neutral=0.999,
    )


@dataclass
class Task:
    """What a batch means."""

    kind: str = MISSING
    # typed, once it is known which there are: tlx.components.groups
    metrics: Any = option(None, "more metrics, each by its name: {fbeta: {beta: 2}}", neutral=None)
    primary_metric: str | None = option(
        None, "the metric that models are chosen and compared by; null: the task's own", neutral=None
    )


@dataclass
class AutoTask(Task):
    """What the data ask for: regression of numbers, else classification, of several labels where they have them."""

    kind: str = "auto"
    loss: Loss = option(help="what training minimises; one word is its kind", factory=Loss, neutral=Loss())
    calibration: str = option(
        help="temperature: once trained, outputs are divided by one number, fitted on validation so that probabilities "
        "come true (Guo 2017); the loss of test is of these",
        choices=("none", "temperature"),
        neutral="none",
    )


@dataclass
class Classification(Task):
    """One label per example, or several (``multilabel``)."""

    kind: str = "classification"
    multilabel: bool = option(False, "several labels per example")
    loss: Loss = option(help="what training minimises; one word is its kind", factory=Loss)
    calibration: str = option(
        help="temperature: once trained, outputs are divided by one number, fitted on validation so that probabilities "
        "come true (Guo 2017); the loss of test is of these",
        choices=("none", "temperature"),
        neutral="none",
    )


@dataclass
class RegressionLoss:
    """What training minimises, of numbers in deviations of train. Reported as ``loss`` is always the squared error."""

    kind: str = option(
        help="mse: squared error; huber: squared near, absolute far away (Huber 1964); quantile: of the conditional "
        "quantile instead of the mean (Koenker & Bassett 1978)",
        choices=("mse", "huber", "quantile"),
        short=True,
    )
    delta: float = option(1.0, "huber: where it becomes absolute, in deviations of train", above=0)
    quantile: float = option(0.5, "quantile: which one; 0.5 is the median", above=0, below=1)


@dataclass
class Regression(Task):
    """A number per example, or several: every target of the data."""

    kind: str = "regression"
    loss: RegressionLoss = option(help="what training minimises; one word is its kind", factory=RegressionLoss)
