"""The story of a trial: compose, look whether it is finished, build, run the phases, test, record."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import EarlyStopping

from tlx.config.errors import RequestError
from tlx.config.schema import Trial
from tlx.strategies import freezing, logistic
from tlx.strategies.phases import PhasePlan, budget_steps
from tlx.tracking import journal as journals
from tlx.tracking.journal import Journal
from tlx.trial import folder as folders
from tlx.trial.build import Built, build
from tlx.trial.checkpoint import restore, save, tensors
from tlx.trial.describe import described
from tlx.trial.folder import Folder, Result
from tlx.trial.machine import rank
from tlx.trial.quiet import quiet

Say = Callable[[str], None]


def train(trial: Trial, say: Say = lambda line: None) -> Result:
    """Run a trial to its end, or return the result it has already.

    ``say`` hears what was chosen and loaded. Raises :class:`~tlx.config.errors.RequestError` before anything is
    started, and whatever training raises after; the journal has the reason either way.
    """
    place = folders.locate(trial)
    finished = place.result()
    if finished is not None:
        return finished
    began = time.perf_counter(), time.process_time()
    try:
        with quiet():
            built = build(trial)
    except RequestError:  # refused: nothing is written
        raise
    except Exception as error:
        if rank() == 0:
            _record_failure(trial, place, error)
        raise
    if rank() > 0:  # a process Lightning started beside the first: it computes, the first one records
        _run(trial, built, place, Journal(None), say, began)
        raise SystemExit(0)
    with place.lock():
        if (finished := place.result()) is not None:  # another process was just finishing it
            return finished
        journals.set_aside(place.path)
        folders.write_config(place.path, trial)
        journal = Journal(place.path)
        journal.begin(kind="train", identity=place.identity, **described(trial, place))
        try:
            result = _run(trial, built, place, journal, say, began)
        except BaseException as error:
            status = "KILLED" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "FAILED"
            reason = f"{type(error).__name__}: {error}"
            journal.write("end", status=status, reason=reason, traceback=traceback.format_exc())
            raise
        place.finish(result)
        journal.write("end", status="FINISHED", reason="")
    return result


def _record_failure(trial: Trial, place: Folder, error: Exception) -> None:
    """A trial that broke before it could begin has a record too."""
    with place.lock():
        journals.set_aside(place.path)
        folders.write_config(place.path, trial)
        journal = Journal(place.path)
        journal.begin(kind="train", identity=place.identity, **described(trial, place))
        reason = f"{type(error).__name__}: {error}"
        journal.write("end", status="FAILED", reason=reason, traceback=traceback.format_exc())


def _run(trial: Trial, built: Built, place: Folder, journal: Journal, say: Say, began: tuple[float, float]) -> Result:
    with quiet():
        torch.set_num_threads(built.machine.threads)
        learner = built.learner
        learner.journal, learner.say = journal, say
        say(f"hardware: {built.machine}")
        if built.backbone.match is not None:
            say(f"weights: {built.backbone.match.matched} of {built.backbone.match.total} tensors matched")
        for note in built.data.source.notes:
            say(f"data: {note}")
        trainer = _trainer(trial, built, place.path)
        steps = _phases(trial, built, trainer, journal, say)
        if trial.strategy.keep == "best" and learner.best.state is not None:
            restore(learner.model, learner.best.state)
            learner.values = learner.best.values
        validated = dict(learner.values)
        trainer.test(learner, verbose=False)
    metrics = {f"val/{name}": value for name, value in validated.items()}
    metrics |= {f"test/{name}": value for name, value in learner.values.items()}
    journal.write("metrics", step=steps, epoch=steps / learner.epochs.steps_per_epoch, values=metrics)
    if trainer.is_global_zero:
        save(place.path / folders.CHECKPOINT, tensors(learner.model, learner.trained))
        _write_predictions(place.path, built)
    trained = sum(p.numel() for name, p in learner.model.named_parameters() if name in learner.trained)
    return Result(
        identity=place.identity,
        name=place.name,
        folder=place.path.name,
        metrics=metrics,
        steps=steps,
        parameters=sum(p.numel() for p in learner.model.parameters()),
        trained=trained,
        cpu_seconds=round(time.process_time() - began[1], 3),
        wall_seconds=round(time.perf_counter() - began[0], 3),
        facts={**place.facts, "channels": str(built.data.info.channels), "hardware": str(built.machine)},
    )


def _trainer(trial: Trial, built: Built, folder: Path) -> Trainer:
    return Trainer(
        accelerator=built.machine.accelerator,
        devices=built.machine.devices,
        strategy="ddp" if built.machine.devices > 1 else "auto",
        precision=trial.hardware.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=trial.hardware.accumulate,
        gradient_clip_val=trial.strategy.clip,
        max_epochs=0,
        reload_dataloaders_every_n_epochs=1,  # each round is a loader of its own
        use_distributed_sampler=False,  # the order shares batches out itself
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _phases(trial: Trial, built: Built, trainer: Trainer, journal: Journal, say: Say) -> int:
    """Run every phase; returns the optimizer steps taken."""
    learner = built.learner
    total = budget_steps(trial.strategy, learner.epochs.steps_per_epoch)
    for number, phase in enumerate(built.phases, start=1):
        start = int(trainer.global_step)
        stop = start + phase.length(start, total)
        if phase.options.restore == "best" and learner.best_of_phase.state is not None:
            restore(learner.model, learner.best_of_phase.state)
        learner.enter(phase, start, stop, total)
        count = sum(p.numel() for p in learner.model.parameters() if p.requires_grad)
        journal.write("phase", number=number, name=phase.name, start=start, stop=stop, trainable=count)
        say(f"phase {number}/{len(built.phases)}: {phase.name}, {count:,} parameters, steps {start} to {stop}")
        before = freezing.checksums(learner.model)
        if phase.options.solver == "logistic":
            _solve(built, trainer)
            trainer.validate(learner, verbose=False)
        elif stop > start:
            _fit(built, trainer, phase, stop - start)
        else:
            continue
        if trial.strategy.audit == "error":
            freezing.audit(learner.model, before, trial.strategy.frozen_norm)
    return int(trainer.global_step)


def _fit(built: Built, trainer: Trainer, phase: PhasePlan, steps: int) -> None:
    """One phase is one fit; the epoch and step axes go on from the fit before."""
    rounds = math.ceil(steps / built.learner.interval)
    trainer.fit_loop.max_epochs = trainer.current_epoch + rounds
    plateau = phase.options.plateau
    if plateau is None:
        trainer.fit(built.learner)
        return
    mode = built.learner.task.monitor[1]
    stopper = EarlyStopping("monitor", plateau.min_delta, plateau.patience, mode=mode, check_on_train_epoch_end=False)
    trainer.callbacks.append(stopper)  # type: ignore[attr-defined]
    trainer.fit(built.learner)
    trainer.callbacks.remove(stopper)  # type: ignore[attr-defined]


def _solve(built: Built, trainer: Trainer) -> None:
    """Fit the head on the features of the training examples, each seen once and unaugmented."""
    learner = built.learner
    model = learner.model.to(trainer.strategy.root_device).eval()
    features, labels = [], []
    with torch.no_grad():
        for batch in built.data.eval_loader("train", learner.task.collate):
            moved = {name: value.to(trainer.strategy.root_device) for name, value in batch.items()}
            features.append(model.features(moved).float().cpu())  # type: ignore[operator]
            labels.append(batch["y"])
    logistic.solve(torch.cat(features), torch.cat(labels), model.head)  # type: ignore[arg-type]


def _write_predictions(folder: Path, built: Built) -> None:
    source = built.data.source
    with (folder / folders.PREDICTIONS).open("w", encoding="utf-8") as stream:
        for record in built.learner.predictions:
            record = {"example": source.origin(record["index"]), **record}
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
