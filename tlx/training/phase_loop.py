"""The phases of a trial: one fit each, on one Trainer, so that steps and epochs go on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from pytorch_lightning import Trainer
from torch import nn

from tlx.backbones.partition.stages import digest, table
from tlx.feature_cache.prefix_cache import PhaseUsage
from tlx.strategies import freezing
from tlx.strategies.phases import budget_steps
from tlx.strategies.rates import stage_rates
from tlx.tasks.protocol import SolvableTask
from tlx.training import fast_loop
from tlx.training.build import TrialComponents
from tlx.training.callbacks.best_weights import BestWeights
from tlx.training.callbacks.metric_rows import MetricRows, phase_metrics
from tlx.training.checkpoint import restore
from tlx.training.module import TrialModule
from tlx.training.progress import Progress
from tlx.training.resume import StateCheckpointer, restore_state

Say = Callable[[str], None]


def run_phases(
    built: TrialComponents, trainer: Trainer, checkpointer: StateCheckpointer, say: Say, progress: Progress
) -> int:
    """Run every phase from where the trial stands; returns the optimizer steps taken."""
    module, stages = built.module, built.stages
    total = budget_steps(module.strategy, module.epochs.steps_per_epoch)
    saved = checkpointer.saved()
    if saved is None:
        module.events.write("stages", digest=digest(stages), table=table(stages))
    else:
        restore_state(saved, trainer, module, total)
        rows = module.callbacks.find(MetricRows)
        assert rows is not None
        rows.recorded = {(row["step"], *sorted(row["values"])) for row in checkpointer.metrics()}
        module.events.write("resume", step=saved["step"])
        say(f"resuming after step {saved['step']}")
    for phase in built.phases[saved["phase"] if saved else 0 :]:
        if saved is None:
            start = int(trainer.global_step)
            start_phase(built, phase.number, start, start + phase.length(start, total), total, say, progress)
        else:
            progress.phase(phase.number + 1, len(built.phases), phase.name, module.state.stop, total)
            module.set_trainable()
        if phase.options.solver != "gradient":
            _solve(built, trainer)
        elif saved is None or not saved["over"]:
            _fit(built, trainer, say)
        module.call("on_phase_end")
        saved = None
    return int(trainer.global_step)


def start_phase(
    built: TrialComponents, number: int, start: int, stop: int, total: int, say: Say, progress: Progress
) -> None:
    """Begin a phase, which covers optimizer steps ``start`` to ``stop`` of ``total``, and record it."""
    module, phase = built.module, built.phases[number]
    best = module.callbacks.find(BestWeights)
    if phase.options.restore == "best" and best is not None and best.best_of_phase.state is not None:
        restore(module.model, best.best_of_phase.state)
    module.start_phase(phase, start, stop, total)
    progress.phase(number + 1, len(built.phases), phase.name, stop, total)
    count = _note(built, start)
    say(f"phase {number + 1}/{len(built.phases)}: {phase.name}, {count:,} parameters, steps {start} to {stop}")


def _note(built: TrialComponents, step: int) -> int:
    """Record what trains from ``step`` on, in the phase entered; how many parameters that is."""
    module, phase = built.module, built.module.state.phase
    trains = {name for name, parameter in module.model.named_parameters() if parameter.requires_grad}
    full = stage_rates(replace(phase, trainable=phase.trainable & trains), built.stages, built.rates)
    partial = [s.name for s in built.stages if s.name in full and not trains.issuperset(s.names)]
    event = {"number": phase.number + 1, "name": phase.name, "start": step, "stop": module.state.stop}
    event |= {"total": module.state.total, "trainable": module.ctx.count}
    module.events.write("phase", **event, rates=full, partial=partial)
    if (rows := module.callbacks.find(MetricRows)) is not None:
        rows.record(module.ctx, step, phase_metrics(module.ctx))
    return module.ctx.count


def _fit(built: TrialComponents, trainer: Trainer, say: Say) -> None:
    """Train to the end of the phase; each change of what trains, asked for by a callback, begins a fit of its own."""
    module = built.module
    while (step := int(trainer.global_step)) < module.state.stop:
        module.prefix.enter(*_usage(module, step))
        if fast_loop.fits(module, trainer):
            fast_loop.fit(module, trainer)
        else:
            rounds = math.ceil((module.state.stop - step) / module.interval)
            trainer.fit_loop.max_epochs = trainer.current_epoch + rounds
            trainer.fit(module)
        module.call("on_fit_end")
        if not module.state.fit_ends:
            return
        module.set_trainable()
        step = int(trainer.global_step)
        say(f"step {step}: {_note(built, step):,} parameters train on")


def _usage(module: TrialModule, step: int) -> list[PhaseUsage]:
    """The rest of this phase and the phases after it, as the frozen prefix sees them."""
    state = module.state
    trains = frozenset(name for name, parameter in module.model.named_parameters() if parameter.requires_grad)
    swapped = module.callbacks.swaps  # others stand in for them in validations
    usage = [_usage_of(module, trains | swapped, step, state.stop)]
    start = state.stop
    for phase in module.phases[state.phase.number + 1 :]:
        stop = start + phase.length(start, state.total)
        usage.append(_usage_of(module, phase.trainable, start, stop))
        start = stop
    return usage


def _usage_of(module: TrialModule, trainable: frozenset[str], start: int, stop: int) -> PhaseUsage:
    rounds = math.ceil((stop - start) / module.interval)
    return PhaseUsage(trainable, {"train": (stop - start) / module.epochs.steps_per_epoch, "val": rounds})


def _solve(built: TrialComponents, trainer: Trainer) -> None:
    """Fit the head on the features of the training examples, each seen once and unaugmented."""
    module = built.module
    before = freezing.checksums(module.model)
    device = trainer.strategy.root_device
    model = module.model.to(device).eval()
    module.prefix.enter(PhaseUsage(module.state.phase.trainable, {"train": 1, "val": 1}))
    features = []
    with torch.no_grad():
        for batch in built.data.eval_loader("train", load=module.prefix.load):
            with module.prefix.replaying(move_data_to_device(batch, device)) as seen:
                features.append(model.features(seen.inputs).float().cpu())  # type: ignore[operator]
    solver, head = module.state.phase.options.solver, model.get_submodule("head")
    assert isinstance(module.task, SolvableTask)  # tasks.check has seen to it
    assert isinstance(head, nn.Linear)
    train = built.data.examples["train"]
    weights = module.task.weights(train.targets, train.meta)
    module.task.solve(solver, torch.cat(features), train.targets, weights, head)
    trainer.validate(module, verbose=False)
    if module.strategy.audit == "error":
        freezing.audit(module.model, before, module.strategy.frozen_norm)
