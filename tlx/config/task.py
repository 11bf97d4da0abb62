"""What a person can say about a task."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Task:
    """What a batch means."""

    kind: str = MISSING


@dataclass
class AutoTask(Task):
    """Classification, of several labels per example where the data have them."""

    kind: str = "auto"


@dataclass
class Classification(Task):
    """One label per example, or several (``multilabel``)."""

    kind: str = "classification"
    multilabel: bool = option(False, "several labels per example")
    label_smoothing: float = option(0.0, "share of the target spread over all classes (Szegedy 2016)")
