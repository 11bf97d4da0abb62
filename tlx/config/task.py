"""What a person can say about a task."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Task:
    """What a batch means. ``auto`` is the classification of the data set's modality."""

    kind: str = MISSING


@dataclass
class AutoTask(Task):
    """Classification of whatever the data set holds."""

    kind: str = "auto"


@dataclass
class Classification(Task):
    """One label per example, or several (``multilabel``)."""

    modality: str = MISSING
    multilabel: bool = option(False, "several labels per example")
    label_smoothing: float = option(0.0, "share of the target spread over all classes (Szegedy 2016)")


@dataclass
class ImageClassification(Classification):
    """Image in, class out."""

    kind: str = "image_classification"
    modality: str = "image"


@dataclass
class TextClassification(Classification):
    """Text in, class out."""

    kind: str = "text_classification"
    modality: str = "text"


KINDS = {"auto": AutoTask, "image_classification": ImageClassification, "text_classification": TextClassification}
