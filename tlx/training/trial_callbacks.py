"""The callbacks of a trial: its strategy's, those of validations, of the configuration, and the saved state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer

from tlx.components.parts import parts, parts_without
from tlx.config.hardware import Checkpoint
from tlx.config.schema import Trial
from tlx.strategies.controllers import controller
from tlx.strategies.phases import averaging_start, decision_interval
from tlx.tracking.event_log import EventLog
from tlx.training.build import TrialComponents
from tlx.training.callbacks.averaging import ExponentialMean, StochasticWeightAverage, WiseFTStart
from tlx.training.callbacks.best_weights import BestWeights
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.controller import ControllerCallback
from tlx.training.callbacks.early_stopping import EarlyStopping
from tlx.training.callbacks.freeze_audit import FreezeAudit
from tlx.training.callbacks.metric_rows import MetricRows
from tlx.training.callbacks.nan_guard import NanSkip, NanStop
from tlx.training.callbacks.observer import Observer, OnValidation
from tlx.training.module import TrialModule
from tlx.training.progress import Progress
from tlx.training.resume import StateCheckpointer, capture


def of_validation(
    module: TrialModule, events: EventLog, say: Callable[[str], None], progress: Progress
) -> dict[str, Callback]:
    """Those that judge and record validations, of heads that are trained side by side too."""
    task = module.task
    return {
        "best_weights": BestWeights(module.strategy, module.primary),
        "early_stopping": EarlyStopping(module.phases, task.metric_info, task.primary_metric),
        "metric_rows": MetricRows(events, say, progress),
    }


def of_strategy(module: TrialModule, folder: Path | None, say: Callable[[str], None]) -> dict[str, Callback]:
    """Those that a strategy asks for; ``folder``: where a batch is kept whose loss is not finite."""
    strategy, per_epoch = module.strategy, module.epochs.steps_per_epoch
    found: dict[str, Callback] = {}
    if strategy.audit == "error":
        found["freeze_audit"] = FreezeAudit(strategy.frozen_norm, say)
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
            found["averaging"] = WiseFTStart()
    if (looks := controller(strategy.controller, module.stages)) is not None:
        found["controller"] = ControllerCallback(looks, decision_interval(strategy, per_epoch))
    return found


def of_configuration(trial: Trial) -> dict[str, Callback]:
    """Those that the configuration names."""
    return {
        key.removeprefix("callbacks."): part.function()(getattr(trial.callbacks, part.kind))
        for key, part in parts(trial)
        if part.group == "callback"
    }


def of_observer(on_validation: OnValidation | None) -> dict[str, Callback]:
    """The one that shows each validation to somebody."""
    return {"observer": Observer(on_validation)} if on_validation is not None else {}


def state_checkpointer(
    trial: Trial,
    built: TrialComponents,
    folder: Path,
    trainer: Trainer,
    began: tuple[float, float],
    say: Callable[[str], None],
) -> StateCheckpointer:
    """The one that saves the state that an interrupted trial goes on from, where all parts can."""
    module = built.module
    left = parts_without(trial, "resumable")
    if left:
        key, part = left[0]
        say(f"no state is saved, as {key}={part.kind} is not resumable: interrupted, this trial begins anew")
    # a shard is not a state to go on from
    often = Checkpoint(None, None) if module.shards or left else trial.checkpoint

    def state() -> dict[str, Any] | None:
        """On the first process; every process gives its part."""
        found = capture(trainer, module)
        if not trainer.is_global_zero:
            return None
        module.events.sync()  # a row that the state has behind it is not written again
        return found

    return StateCheckpointer(folder, built.origin, often, began, say, state)
