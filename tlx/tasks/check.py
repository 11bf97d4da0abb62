"""Do a task, a backbone and a strategy fit together? Found out before anything starts."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from tlx.backbones.backbone import Backbone
from tlx.config.errors import ConfigError, ConfigIssue, DataError
from tlx.config.schema import Trial
from tlx.tasks import views
from tlx.tasks.protocol import ForeseeingTask, SolvableTask, Task


def check(trial: Trial, task: Task, backbone: Backbone) -> None:
    """See that the backbone gives what the task needs, and that its heads can be solved as the strategy asks.

    Raises:
        ConfigError: Something does not fit.
    """
    problems = []
    if task.form not in backbone.gives:
        message = f"gives {', '.join(sorted(backbone.gives))}; task={trial.task.kind} needs {task.form}"
        problems.append(ConfigIssue("backbone", message, trial.backbone.name))
    known = task.solvers if isinstance(task, SolvableTask) else ()
    for i, phase in enumerate(trial.strategy.phases):
        if phase.solver not in ("gradient", *known):
            exact = "" if known else "no exact solution is known; "
            fitting = " or ".join(f"strategy={name}" for name in (*known, "feature_extraction"))
            message = (
                f"expected {' or '.join(['gradient', *known])} for what is predicted here; {exact}{fitting} trains "
            )
            message += "the head alone"
            problems.append(ConfigIssue(f"strategy.phases.{i}.solver", message, phase.solver))
    problems += views.issues(task, backbone.takes, trial.dataset.test_augment)
    if problems:
        raise ConfigError(problems)


def check_validation(task: Task, targets: Mapping[str, Tensor]) -> None:
    """See that models can be chosen by the targets of val; raises :class:`DataError` where the metric is undefined."""
    if isinstance(task, ForeseeingTask) and (reason := task.undefined(targets)):
        message = f"is undefined on val, {reason}, and models are chosen by it; choose another metric, or cut another "
        message += "val (dataset.val, dataset.split_seed)"
        raise DataError([ConfigIssue("task.primary_metric", message, task.primary_metric)])
