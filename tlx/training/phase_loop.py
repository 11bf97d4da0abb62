"""The phases of a trial: one fit each, on one Trainer, so that steps and epochs go on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from pytorch_lightning import Trainer

from tlx.backbones.partition.stages import digest, table
from tlx.feature_cache.prefix_cache import PhaseUsage
from tlx.strategies import freezing, logistic
from tlx.strategies.phases import budget_steps
from tlx.strategies.rates import stage_rates
from tlx.training import fast_loop
from tlx.training.build import TrialComponents
from tlx.training.checkpoint import restore, tensors
from tlx.training.learner import Learner
from tlx.training.resume import StateCheckpointer, restore_state

Say = Callable[[str], None]


def run_phases(built: TrialComponents, trainer: Trainer, keeper: StateCheckpointer, say: Say) -> int:
    """Run every phase from where the trial stands; returns the optimizer steps taken."""
    learner = built.learner
    total = budget_steps(learner.strategy, learner.epochs.steps_per_epoch)
    learner.after_round = lambda: keeper.after_round(trainer, learner)
    state = keeper.saved()
    if state is not None:
        restore_state(state, trainer, learner, total)
        learner.recorded = {(row["step"], *sorted(row["values"])) for row in keeper.metrics()}
        learner.events.write("resume", step=state["step"])
        say(f"resuming after step {state['step']}")
    else:
        learner.events.write("stages", digest=digest(built.stages), table=table(built.stages))
    for phase in built.phases[state["phase"] if state else 0 :]:
        if state is None:
            start = int(trainer.global_step)
            start_phase(built, phase.number, start, start + phase.length(start, total), total, say)
        else:
            learner.progress.phase(phase.number + 1, len(built.phases), phase.name, learner.stop, total)
            learner.set_trainable()
        if phase.options.solver == "logistic":
            _solve(built, trainer)
        elif state is None or not state["over"]:
            _fit(built, trainer, say)
        state = None
    return int(trainer.global_step)


def start_phase(built: TrialComponents, number: int, start: int, stop: int, total: int, say: Say) -> None:
    """Begin a phase, which covers optimizer steps ``start`` to ``stop`` of ``total``, and record it."""
    learner, phase = built.learner, built.phases[number]
    averaging = learner.strategy.averaging
    if phase.options.restore == "best" and (best := learner.best_tracker.best_of_phase.state) is not None:
        restore(learner.model, best)
    learner.start_phase(phase, start, stop, total)
    if number == len(built.phases) - 1 and averaging is not None and averaging.kind == "wise_ft":
        learner.wise_ft_start = tensors(learner.model, learner.trained)
    learner.progress.phase(number + 1, len(built.phases), phase.name, stop, total)
    count = _note(built, start)
    say(f"phase {number + 1}/{len(built.phases)}: {phase.name}, {count:,} parameters, steps {start} to {stop}")


def _note(built: TrialComponents, step: int) -> int:
    """Record what trains from ``step`` on, in the phase entered; how many parameters that is."""
    learner, phase = built.learner, built.learner.phase
    stand = learner.phase_metrics()
    count = int(stand["finetune/trainable_params"] or 0)
    trains = {name for name, parameter in learner.model.named_parameters() if parameter.requires_grad}
    full = stage_rates(replace(phase, trainable=phase.trainable & trains), built.stages, built.rates)
    partial = [s.name for s in built.stages if s.name in full and not trains.issuperset(s.names)]
    event = {"number": phase.number + 1, "name": phase.name, "start": step, "stop": learner.stop}
    event |= {"total": learner.total, "trainable": count}
    learner.events.write("phase", **event, rates=full, partial=partial)
    learner.record(step, stand)
    return count


def _fit(built: TrialComponents, trainer: Trainer, say: Say) -> None:
    """Train to the end of the phase; each change of the trainable set by a controller is a fit of its own."""
    learner = built.learner
    while (step := int(trainer.global_step)) < learner.stop:
        learner.prefix.enter(*_stretches(learner, step))
        if fast_loop.fits(learner, trainer):
            fast_loop.fit(learner, trainer)
        else:
            trainer.fit_loop.max_epochs = trainer.current_epoch + math.ceil((learner.stop - step) / learner.interval)
            trainer.fit(learner)
        _audit(learner)
        if not learner.trainable_set_changed:
            return
        learner.set_trainable()
        step = int(trainer.global_step)
        say(f"step {step}: {_note(built, step):,} parameters train on")


def _stretches(learner: Learner, step: int) -> list[PhaseUsage]:
    """The rest of this phase and the phases after it, as the frozen prefix sees them."""
    trains = frozenset(name for name, parameter in learner.model.named_parameters() if parameter.requires_grad)
    averaged = frozenset(learner.mean.mean if learner.mean is not None else ())  # stands in for them in validations
    stretches = [_stretch(learner, trains | averaged, step, learner.stop)]
    start = learner.stop
    for phase in learner.phases[learner.phase.number + 1 :]:
        stop = start + phase.length(start, learner.total)
        stretches.append(_stretch(learner, phase.trainable, start, stop))
        start = stop
    return stretches


def _stretch(learner: Learner, trainable: frozenset[str], start: int, stop: int) -> PhaseUsage:
    rounds = math.ceil((stop - start) / learner.interval)
    return PhaseUsage(trainable, {"train": (stop - start) / learner.epochs.steps_per_epoch, "val": rounds})


def _audit(learner: Learner) -> None:
    """Prove that what was frozen stood still and what trained moved."""
    if learner.strategy.audit == "error":
        freezing.audit(learner.model, learner.before, learner.strategy.frozen_norm)


def _solve(built: TrialComponents, trainer: Trainer) -> None:
    """Fit the head on the features of the training examples, each seen once and unaugmented."""
    learner = built.learner
    learner.before = freezing.checksums(learner.model)
    device = trainer.strategy.root_device
    model = learner.model.to(device).eval()
    learner.prefix.enter(PhaseUsage(learner.phase.trainable, {"train": 1, "val": 1}))
    features, labels = [], []
    with torch.no_grad():
        for batch in built.data.eval_loader("train", learner.task.collate, load=learner.prefix.load):
            with learner.prefix.replaying(move_data_to_device(batch, device)) as seen:
                features.append(model.features(seen).float().cpu())  # type: ignore[operator]
            labels.append(batch["y"])
    logistic.solve(torch.cat(features), torch.cat(labels), model.head)  # type: ignore[arg-type]
    trainer.validate(learner, verbose=False)
    _audit(learner)
