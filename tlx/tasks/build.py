"""The task a configuration means, once the data are known."""

from __future__ import annotations

from tlx.config.task import AutoTask, Classification, ImageClassification, Task, TextClassification
from tlx.data.source import DataInfo
from tlx.tasks.classification import ClassificationTask
from tlx.tasks.protocol import Task as TaskProtocol


def build(options: Task, info: DataInfo) -> TaskProtocol:
    """``auto`` becomes the classification of the data's modality, with several labels if the data have them."""
    if isinstance(options, AutoTask):
        kind = ImageClassification if info.modality == "image" else TextClassification
        options = kind(multilabel=info.multilabel)
    if isinstance(options, Classification):
        return ClassificationTask(options, info)
    raise TypeError(f"no task for {type(options).__name__}")
