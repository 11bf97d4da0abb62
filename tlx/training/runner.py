"""The story of a trial: look whether it is finished, build it, run its phases, choose its weights, test, record."""

from __future__ import annotations

import os
import time
from contextlib import closing

import torch

from tlx.columns.input_spec import not_taken
from tlx.composition.rules import refuse_many_trials
from tlx.config import output
from tlx.config.augmentation import views_said
from tlx.config.errors import RequestError
from tlx.config.schema import Trial
from tlx.feature_cache.prefix_cache import PhaseUsage
from tlx.runs import layout, signals
from tlx.runs.folder import RunFolder
from tlx.runs.recover import recover
from tlx.runs.result import Result
from tlx.tasks.network import specs
from tlx.tracking.event_log import EventLog
from tlx.training import trial_callbacks, whole_model
from tlx.training.build import TrialComponents, build
from tlx.training.calibration import calibrate
from tlx.training.callbacks.dispatch import Callbacks
from tlx.training.callbacks.observer import OnValidation
from tlx.training.deterministic import deterministic
from tlx.training.final_weights import select_final_weights
from tlx.training.hardware_options import apply_hardware_options
from tlx.training.locate import locate
from tlx.training.machine import rank
from tlx.training.phase_loop import run_phases
from tlx.training.predictions import predictions
from tlx.training.progress import Progress
from tlx.training.quiet import quiet
from tlx.training.record import Say, ending, finish, open_record, record, record_failure
from tlx.training.trainer import cache_context, make_trainer


def train(
    trial: Trial,
    say: Say = lambda line: None,
    num_readers: int = 1,
    on_validation: OnValidation | None = None,
    place: RunFolder | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run a trial to its end, or return the result that it has already.

    Args:
        trial: Its resolved configuration.
        say: Hears a line for whatever is chosen, loaded or measured.
        num_readers: Trials of a sweep, this one included, that read the same held-out examples.
        on_validation: Is shown the validation of each round, and may raise to end the trial.
        place: Where it lives, where that is known, or another folder than its own, for a repetition.
        progress: Hears of phases, steps and metrics.

    Returns:
        What is recorded in ``result.json``.

    Raises:
        RequestError: Something that was asked for cannot be; nothing was started, and nothing is written.
        Exception: Whatever training raises. The event log has the reason.
    """
    refuse_many_trials(trial)
    place = place or locate(trial)
    recover(place.path)
    if (finished := place.result()) is not None:
        return finished
    began = time.process_time(), time.perf_counter()
    built = _built(trial, place, num_readers, say)
    if rank() > 0:  # a process Lightning started beside the first: it computes, the first one records
        _run(trial, built, place, EventLog(None), say, began, Progress(), on_validation)
        raise SystemExit(0)
    output.claim(place.path.parent)
    with place.lock():
        if (finished := place.result()) is not None:  # another process was just finishing it
            return finished
        events = open_record(trial, built, place, say)
        with ending(events):
            result = _run(trial, built, place, events, say, began, progress or Progress(), on_validation)
        finish(place, events, result)
    return result


def _run(
    trial: Trial,
    built: TrialComponents,
    place: RunFolder,
    events: EventLog,
    say: Say,
    began: tuple[float, float],
    progress: Progress,
    on_validation: OnValidation | None,
) -> Result:
    """Train, choose the weights, test, and record all but the result."""
    module, prefix = built.module, built.module.prefix
    with quiet(), deterministic(built.machine, trial.hardware.deterministic), closing(built.data):
        _prepare(trial, built, events, say, progress)
        trainer = make_trainer(trial, built, place.path)
        checkpointer = trial_callbacks.state_checkpointer(trial, built, place.path, trainer, began, say)
        module.callbacks = Callbacks(
            {
                **trial_callbacks.of_strategy(module, place.path if events.path is not None else None, say),
                **trial_callbacks.of_validation(module, events, say, progress),
                **trial_callbacks.of_configuration(trial),
                **trial_callbacks.of_observer(on_validation),
                "state": checkpointer,
            }
        )
        prefix.surround(cache_context(trainer, events, say))
        with signals.rounds():
            steps = run_phases(built, trainer, checkpointer, say, progress)
        prefix.enter(PhaseUsage(module.state.trained, {"val": 1}))
        select_final_weights(built, trainer, say)
        validated = {**module.state.metrics, **calibrate(built, trainer, say)}
        if built.data.has_test:
            if not module.test_views:  # of which nothing is kept
                prefix.enter(PhaseUsage(module.state.trained, {"test": 1}))
            file = place.path / layout.PREDICTIONS if events.path is not None else None
            with predictions(file, built.data.source.described) as written:
                module.predicted = written.add
                trainer.test(module, verbose=False)
        prefix.close()
        return record(trial, built, place, steps, validated, checkpointer.spent())


def _built(trial: Trial, place: RunFolder, num_readers: int, say: Say) -> TrialComponents:
    """The parts of a trial; one that breaks before it could begin has a record too, unless it is refused."""
    try:
        with quiet():
            built = build(trial)
            apply_hardware_options(trial, built)
            built.module.prefix.num_readers = {"val": num_readers, "test": num_readers}
            return built
    except RequestError:
        raise
    except Exception as error:
        if rank() == 0:
            record_failure(trial, place, error, say)
        raise


def _prepare(trial: Trial, built: TrialComponents, events: EventLog, say: Say, progress: Progress) -> None:
    """Say what was built, and have torch use as many threads as the trial is given."""
    torch.set_num_threads(built.machine.threads)
    os.environ["OMP_NUM_THREADS"] = str(built.machine.threads)  # else Lightning's DDP sets a number of its own
    built.module.events, progress.metric = events, built.module.task.primary_metric
    say(f"hardware: {built.machine}")
    if built.backbone.match is not None:
        say(f"weights: {built.backbone.match.matched} of {built.backbone.match.total} tensors matched")
    for note in built.notes:
        say(f"{whole_model.KEY}: {note}")
    for note in built.data.source.notes:
        say(f"data: {note}")
    expected = specs(built.module.model)
    given = getattr(trial.backbone, "input", None)
    for line in (*built.data.schema.read_as(expected), *not_taken(given, expected)):
        say(f"input: {line}")
    if (drawn := built.module.epochs.sampling) is not None:
        say(f"sampler: {drawn}")
    if (planned := built.module.validations).is_auto:
        for line in planned.lines:
            say(f"validation: {line}")
    if built.module.test_views:
        say(f"test: {views_said(built.module.test_views)}; nothing is kept of it")
