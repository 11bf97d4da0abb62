"""The validation metrics that end a phase: by what name, and whether less or more of them is better."""

from __future__ import annotations

from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.strategy import Strategy
from tlx.tasks.protocol import Task


def monitored(name: str | None, task: Task) -> tuple[str, str]:
    """A validation metric, None for the task's own, and whether ``min`` or ``max`` of it is best."""
    if name is None or name == task.monitor[0]:
        return task.monitor
    return name, "min" if "loss" in name else "max"


def check_monitors(strategy: Strategy, task: Task) -> None:
    """Raise :class:`ConfigError` for a plateau or threshold of a metric the task has not."""
    problems = []
    for i, phase in enumerate(strategy.phases):
        for kind, options in (("plateau", phase.plateau), ("threshold", phase.threshold)):
            name = options.monitor if options is not None else None
            if name is not None and name not in task.measures:
                message = f"not a metric of this task{suggest(name, task.measures)}; it has {', '.join(task.measures)}"
                problems.append(ConfigIssue(f"strategy.phases.{i}.{kind}.monitor", message, name))
    if problems:
        raise ConfigError(problems)
