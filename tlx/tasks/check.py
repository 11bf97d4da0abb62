"""Do a task, a backbone and a strategy fit together? Found out before anything starts."""

from __future__ import annotations

from tlx.backbones.backbone import Backbone
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.tasks import views
from tlx.tasks.protocol import SolvableTask, Task


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
