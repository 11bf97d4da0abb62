"""What a person can say about a task."""

from __future__ import annotations

from dataclasses import dataclass

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
        help="auto: in train, every class weighs as much as any other, and a label's positives as its negatives",
        choices=("none", "auto"),
        refused={"balanced": "is called auto here"},
    )
    weights: dict[str, float] = option(
        help="class -> its weight, in place of what class_weight says; 1 for the others", factory=dict, above=0
    )


@dataclass
class Task:
    """What a batch means."""

    kind: str = MISSING


@dataclass
class AutoTask(Task):
    """Classification, of several labels per example where the data have them."""

    kind: str = "auto"
    loss: Loss = option(help="what training minimises; one word is its kind", factory=Loss, neutral=Loss())


@dataclass
class Classification(Task):
    """One label per example, or several (``multilabel``)."""

    kind: str = "classification"
    multilabel: bool = option(False, "several labels per example")
    loss: Loss = option(help="what training minimises; one word is its kind", factory=Loss)
