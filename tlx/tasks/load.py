"""A task from its options, once the data are known."""

from __future__ import annotations

from tlx.columns.schema import Schema
from tlx.components.registry import component
from tlx.config import task
from tlx.tasks.protocol import Task


def load(options: task.Task, schema: Schema) -> Task:
    """Make the task that the options mean; raises :class:`~tlx.config.errors.ConfigError` where the data do not fit."""
    found: Task = component("task", options.kind).function()(options, schema)
    return found
