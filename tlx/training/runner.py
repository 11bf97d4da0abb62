"""The story of a trial: compose, look whether it is finished, build, run the phases, test, record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ModelParallelStrategy

from tlx.components.parts import lacking
from tlx.composition.rules import refuse_many_trials
from tlx.config import output
from tlx.config.errors import RequestError
from tlx.config.hardware import Checkpoint
from tlx.config.schema import Trial
from tlx.data import schema_file
from tlx.feature_cache.context import CacheContext
from tlx.feature_cache.prefix_cache import PhaseUsage
from tlx.feature_cache.process_group import ProcessGroup
from tlx.files import durable
from tlx.reports.schedule import of_events
from tlx.runs import folder as folders
from tlx.runs import layout, manifest, signals
from tlx.runs import result as results
from tlx.runs.describe import described, observed
from tlx.runs.failure_reason import failure_reason
from tlx.runs.folder import RunFolder
from tlx.runs.recover import recover
from tlx.runs.result import Result
from tlx.tracking import event_log
from tlx.tracking.event_log import EventLog
from tlx.tracking.logger_feed import feed
from tlx.training import trial_callbacks
from tlx.training.build import TrialComponents, build
from tlx.training.callbacks.dispatch import Callbacks
from tlx.training.callbacks.observer import Observer, OnValidation
from tlx.training.checkpoint import save
from tlx.training.deterministic import deterministic
from tlx.training.final_weights import select_final_weights
from tlx.training.hardware_options import apply_hardware_options
from tlx.training.locate import locate
from tlx.training.machine import rank
from tlx.training.module import TrialModule
from tlx.training.phase_loop import run_phases
from tlx.training.predictions import predictions
from tlx.training.progress import Progress
from tlx.training.quiet import quiet
from tlx.training.resume import StateCheckpointer, can_resume, capture, forget

Say = Callable[[str], None]


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
        place: Another folder than its own, for a repetition.
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
    finished = place.result()
    if finished is not None:
        return finished
    began = time.process_time(), time.perf_counter()
    try:
        with quiet():
            built = build(trial)
            apply_hardware_options(trial, built)
            built.module.prefix.num_readers = {"val": num_readers, "test": num_readers}
    except RequestError:  # refused: nothing is written
        raise
    except Exception as error:
        if rank() == 0:
            record_failure(trial, place, error)
        raise
    if rank() > 0:  # a process Lightning started beside the first: it computes, the first one records
        _run(trial, built, place, EventLog(None), say, began, Progress(), on_validation)
        raise SystemExit(0)
    output.claim(place.path.parent)
    with place.lock():
        if (finished := place.result()) is not None:  # another process was just finishing it
            return finished
        if reason := results.incomplete(place.path):
            say(f"{reason}: its old result is kept as {results.set_aside(place.path)}")
        durable.sweep(place.path, layout.OWN)
        events = EventLog(place.path, feed(trial, place.path, say))
        if not (resumes := can_resume(place.path)):
            event_log.set_aside(place.path)
        folders.write_config(place.path, trial)
        if not resumes:
            events.begin(kind="train", identity=place.identity, **described(trial, place, built.module.primary))
        try:
            result = _run(trial, built, place, events, say, began, progress or Progress(), on_validation)
        except BaseException as error:
            with suppress(OSError):  # the disk may be what is wrong: the first error counts
                events.write("end", **failure_reason(error))
            raise
        place.finish(result)
        forget(place.path)
        events.write("end", status="FINISHED", reason="")
    return result


def record_failure(trial: Trial, place: RunFolder, error: Exception) -> None:
    """A trial that broke before it could begin has a record too, where the disk takes one."""
    with suppress(OSError):
        output.claim(place.path.parent)
        _record_failure(trial, place, error)


def _record_failure(trial: Trial, place: RunFolder, error: Exception) -> None:
    with place.lock():
        if place.result() is not None:  # another process has finished it meanwhile
            return
        event_log.set_aside(place.path)
        folders.write_config(place.path, trial)
        events = EventLog(place.path, feed(trial, place.path))
        events.begin(kind="train", identity=place.identity, **described(trial, place))
        events.write("end", **failure_reason(error))


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
    with quiet(), deterministic(built.machine, trial.hardware.deterministic):
        torch.set_num_threads(built.machine.threads)
        os.environ["OMP_NUM_THREADS"] = str(built.machine.threads)  # else Lightning's DDP sets a number of its own
        module = built.module
        module.events, progress.metric = events, module.task.primary_metric
        say(f"hardware: {built.machine}")
        if built.backbone.match is not None:
            say(f"weights: {built.backbone.match.matched} of {built.backbone.match.total} tensors matched")
        for note in built.data.source.notes:
            say(f"data: {note}")
        trainer = _trainer(trial, built, place.path)
        left = lacking(trial, "resumable")
        if left:
            key, part = left[0]
            say(f"no state is saved, as {key}={part.kind} is not resumable: interrupted, this trial begins anew")
        # a shard is not a state to go on from
        often = Checkpoint(None, None) if module.shards or left else trial.checkpoint
        checkpointer = StateCheckpointer(place.path, built.origin, often, began, say, partial(_state, trainer, module))
        wanted = trial_callbacks.of_strategy(module, place.path if events.path is not None else None)
        judging = trial_callbacks.judging(module, events, say, progress)
        observers = {"observer": Observer(on_validation)} if on_validation is not None else {}
        module.callbacks = Callbacks(
            {**wanted, **judging, **trial_callbacks.of_user(trial), **observers, "state": checkpointer}
        )
        module.prefix.surround(_surroundings(trainer, events, say))
        with signals.rounds():
            steps = run_phases(built, trainer, checkpointer, say, progress)
        module.prefix.enter(PhaseUsage(module.state.trained, {"val": 1}))
        select_final_weights(built, trainer, say)
        validated = dict(module.state.metrics)
        module.prefix.enter(PhaseUsage(module.state.trained, {"test": 1}))
        file = place.path / layout.PREDICTIONS if events.path is not None else None
        with predictions(file, built.data.source.origin) as written:
            module.predicted = written.add
            trainer.test(module, verbose=False)
        module.prefix.close()
        return record(trial, built, place, steps, validated, checkpointer.spent())


def _state(trainer: Trainer, module: TrialModule) -> dict[str, Any] | None:
    """The state of a run, on its first process; every process gives its part."""
    state = capture(trainer, module)
    if not trainer.is_global_zero:
        return None
    module.events.sync()  # a row that the state has behind it is not written again
    return state


def record(
    trial: Trial,
    built: TrialComponents,
    place: RunFolder,
    steps: int,
    validated: dict[str, float | None],
    spent: tuple[float, float],
) -> Result:
    """Write what a trained and tested trial leaves beside its predictions, all but ``result.json``.

    The test is in ``module.state.metrics``. When this returns, everything that the result names is on the disk.
    """
    module = built.module
    metrics = {f"val/{name}": value for name, value in validated.items()}
    metrics |= {f"test/{name}": value for name, value in module.state.metrics.items()}
    module.events.write("metrics", step=steps, epoch=steps / module.epochs.steps_per_epoch, values=metrics)
    state = module.snapshot()  # on every process: shards are put together
    if module.events.path is not None:  # the first process
        save(place.path / layout.CHECKPOINT, state, built.origin)
        schema_file.write(place.path, built.data.schema)
        _draw_schedule(place.path, built)
    trained = sum(module.model.get_parameter(name).numel() for name in module.state.trained)
    result = Result(
        identity=place.identity,
        name=place.name,
        folder=place.path.name,
        metrics=metrics,
        steps=steps,
        parameters=sum(p.numel() for p in module.model.parameters()),
        trained=trained,
        cpu_seconds=round(spent[0], 3),
        wall_seconds=round(spent[1], 3),
        primary=module.primary,
        numerics=place.numerics,
        facts={**place.fingerprints, "hardware": str(built.machine)},
    )
    if module.events.path is not None:
        found = observed(trial, result.facts, columns=built.data.schema.settings(), splits=built.data.hashes())
        bits = results.hashes(place.path)
        manifest.write(place.path, asdict(trial), found, {"metrics": metrics, "steps": steps, **bits})
        module.events.sync()
        result = replace(result, files=results.promised_files(place.path))
    return result


def _trainer(trial: Trial, built: TrialComponents, folder: Path) -> Trainer:
    return Trainer(
        accelerator=built.machine.accelerator,
        devices=built.machine.devices,
        num_nodes=built.machine.nodes,
        strategy=_parallel(trial, built),
        precision=trial.hardware.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=trial.hardware.accumulate,
        gradient_clip_val=trial.strategy.clip,
        max_epochs=0,
        reload_dataloaders_every_n_epochs=1,  # each round is a loader of its own
        use_distributed_sampler=False,  # the order shares batches out itself
        num_sanity_val_steps=0,
        inference_mode=False,  # metrics are shared with the fit that follows a validation
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _parallel(trial: Trial, built: TrialComponents) -> str | ModelParallelStrategy:
    if built.machine.world == 1:
        return "auto"
    if trial.hardware.distributed == "ddp":
        return "ddp"
    return ModelParallelStrategy(data_parallel_size=built.machine.world, tensor_parallel_size=1)


def _surroundings(trainer: Trainer, events: EventLog, say: Say) -> CacheContext:
    together = ProcessGroup(int(trainer.global_rank), int(trainer.world_size))
    plugin = trainer.precision_plugin
    return CacheContext(plugin.val_step_context, str(plugin.precision), together, events.write, say)


def _draw_schedule(folder: Path, built: TrialComponents) -> None:
    names, steps = [stage.name for stage in built.stages], built.module.epochs.steps_per_epoch
    durable.write(folder / layout.SCHEDULE, of_events(event_log.read(folder), names, steps))
