"""The callbacks that a strategy asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tlx.components.parts import parts
from tlx.config.schema import Trial
from tlx.strategies.controllers import controller
from tlx.strategies.phases import averaging_start, decision_interval
from tlx.tracking.event_log import EventLog
from tlx.training.callbacks.averaging import ExponentialMean, LineStart, StochasticWeightAverage
from tlx.training.callbacks.best_weights import BestWeights
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.controller import Control
from tlx.training.callbacks.early_stopping import EarlyStopping
from tlx.training.callbacks.freeze_audit import FreezeAudit
from tlx.training.callbacks.metric_rows import MetricRows
from tlx.training.callbacks.nan_guard import NanSkip, NanStop
from tlx.training.module import TrialModule
from tlx.training.progress import Progress


def judging(
    module: TrialModule, events: EventLog, say: Callable[[str], None], progress: Progress
) -> dict[str, Callback]:
    """Those that judge and record validations, of heads that are trained side by side too."""
    task = module.task
    return {
        "best_weights": BestWeights(module.strategy, module.primary),
        "early_stopping": EarlyStopping(module.phases, task.metric_info, task.primary_metric),
        "metric_rows": MetricRows(events, say, progress),
    }


def of_strategy(module: TrialModule, folder: Path | None) -> dict[str, Callback]:
    """Those that a strategy asks for; ``folder``: where a batch is kept whose loss is not finite."""
    strategy, per_epoch = module.strategy, module.epochs.steps_per_epoch
    found: dict[str, Callback] = {}
    if strategy.audit == "error":
        found["freeze_audit"] = FreezeAudit(strategy.frozen_norm)
    if strategy.on_nan == "skip":
        found["nan_skip"] = NanSkip()
    else:
        found["nan_stop"] = NanStop(module.data, module.epochs, module.accumulate, folder)
    if (averaging := strategy.averaging) is not None:
        if averaging.kind == "ema":
            found["averaging"] = ExponentialMean(averaging.decay)
        elif averaging.kind == "swa":
            found["averaging"] = StochasticWeightAverage(averaging_start(strategy, per_epoch))
        elif averaging.kind == "wise_ft":
            found["averaging"] = LineStart()
    if (looks := controller(strategy.controller, module.stages)) is not None:
        found["controller"] = Control(looks, decision_interval(strategy, per_epoch))
    return found


def of_user(trial: Trial) -> dict[str, Callback]:
    """Those that the configuration names."""
    return {
        key.removeprefix("callbacks."): part.function()(getattr(trial.callbacks, part.kind))
        for key, part in parts(trial)
        if part.group == "callback"
    }
