"""The task that the data ask for: by the kind of what is to be predicted."""

from __future__ import annotations

from typing import Any

from tlx.columns import Labels, Number
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.task import AutoTask, Classification, Loss, Regression
from tlx.tasks.load import load as load_task
from tlx.tasks.protocol import Task


def load(options: AutoTask, schema: Schema) -> Task:
    """Make the task: regression of numbers, else classification with as many labels per example as the data have.

    Raises:
        ConfigError: The loss is one of classes, or probabilities are to be calibrated, and numbers are predicted.
    """
    targets = list(schema.targets.values())
    more: dict[str, Any] = {"metrics": options.metrics, "primary_metric": options.primary_metric}
    if targets and all(isinstance(column, Number) for column in targets):
        if options.loss != type(options.loss)() or options.loss.kind != Loss().kind:
            message = "numbers are predicted; write task=regression, whose losses are mse, huber and quantile"
            raise ConfigError([ConfigIssue("task.loss", message, options.loss.kind)])
        if options.calibration != "none":
            message = "numbers are predicted, which have no probabilities to calibrate; leave it at none"
            raise ConfigError([ConfigIssue("task.calibration", message, options.calibration)])
        return load_task(Regression(**more), schema)
    several = any(isinstance(column, Labels) for column in targets)
    more["calibration"] = options.calibration
    return load_task(Classification(multilabel=several, loss=options.loss, **more), schema)
