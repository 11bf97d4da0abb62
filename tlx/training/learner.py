"""The Lightning side of a trial: a task's steps, the phase's trainable set and rates, and what is recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer

from tlx.backbones.partition.stages import Stage
from tlx.backbones.weights import State
from tlx.config.strategy import Strategy
from tlx.data.module import Data, Loader
from tlx.data.order import Epochs
from tlx.feature_cache.prefix_cache import PrefixCache
from tlx.runs import signals
from tlx.strategies import freezing, groups, optimizers, schedule
from tlx.strategies.averaging import Running
from tlx.strategies.controllers import controller
from tlx.strategies.phases import PhasePlan, averaging_start, decision_interval, validation_interval
from tlx.strategies.regularisers import penalty
from tlx.strategies.sharded import shard
from tlx.strategies.stopping import Stopper, stoppers
from tlx.tasks.protocol import Batch, Task
from tlx.tracking.event_log import EventLog
from tlx.training import nan_guard
from tlx.training.best import BestTracker
from tlx.training.checkpoint import restore, tensors, whole
from tlx.training.nan_guard import Losses, NanGuard
from tlx.training.progress import Progress
from tlx.training.scaling import carried, is_skipped


class Learner(LightningModule):
    """Trains one phase at a time; :meth:`enter` says which."""

    def __init__(
        self,
        strategy: Strategy,
        task: Task,
        model: nn.Module,
        stages: Sequence[Stage],
        phases: Sequence[PhasePlan],
        data: Data,
        epochs: Epochs,
        prefix: PrefixCache,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.strategy = strategy
        self.task = task
        self.model = model
        self.stages = list(stages)
        self.phases = list(phases)
        self.data = data
        self.epochs = epochs
        self.prefix = prefix  # serves the batches
        self.accumulate = accumulate
        self.interval = validation_interval(strategy, epochs.steps_per_epoch)
        self.decision_interval = decision_interval(strategy, epochs.steps_per_epoch)
        self.metrics = task.metrics()
        self.events = EventLog(None)
        self.progress = Progress()
        self.say: Callable[[str], None] = lambda line: None
        self.after_round: Callable[[], None] = lambda: None
        self.before_first_round: Callable[[], None] | None = None  # how a resumed trial puts its last pieces in place
        self.on_validation: Callable[[int, dict[str, float | None]], None] | None = None  # sees each round's validation
        self.reinit_state: State = {}  # random weights for what a phase starts anew
        self.penalty = penalty(strategy, model, stages)
        self.controller = controller(strategy.controller, stages)
        averaging = strategy.averaging
        kind = averaging.kind if averaging is not None else ""
        self.mean = (
            Running(averaging.decay if kind == "ema" else None) if averaging and kind in ("ema", "swa") else None
        )
        self.swa_start = averaging_start(strategy, epochs.steps_per_epoch) if kind == "swa" else None
        self.wise_ft_start: State | None = None  # the weights that wise_ft's line begins at
        self.trained: frozenset[str] = frozenset()
        self.keeps = True  # does a validation count for the best? (not when weights are only tried)
        self.best_tracker = BestTracker(strategy)
        self.predicted: Callable[[list[dict[str, Any]]], None] = lambda records: None  # hears of each test batch
        self.values: dict[str, float | None] = {}  # of the last evaluation
        self.shards = False  # FSDP2 instead of whole copies
        self.count = 0  # parameters that train
        # the controller has changed what trains: the rest of the phase is a fit of its own
        self.trainable_set_changed = False
        # rows that a resumed trial finds in its event log: they are not repeated
        self.recorded: set[tuple[Any, ...]] = set()
        self.stoppers: list[Stopper] = []  # of the phase
        self.snapshot: Callable[[], State] = lambda: tensors(self.model, self.trained)  # remembers a validation
        self.rounds = 0  # ended, over all phases
        self.start = self.stop = self.total = 0  # optimizer steps: the phase's, and the whole run's
        self.before: dict[str, int] = {}  # checksums at the start of the fit, for the audit
        self.optimizer_state: dict[str, Any] | None = None
        self._phase: PhasePlan | None = None
        self._losses = Losses()
        self._guard = NanGuard() if strategy.on_nan == "skip" else None
        self._round_began = 0  # at this optimizer step
        self._batch: Batch = {}
        self.taken = 0  # optimizer steps the running mean has seen

    # -- the phase -------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> PhasePlan:
        """The phase being run."""
        if self._phase is None:
            raise RuntimeError("no phase entered yet")
        return self._phase

    def start_phase(self, phase: PhasePlan, start: int, stop: int, total: int) -> None:
        """Begin a phase that covers optimizer steps ``start`` to ``stop`` of ``total``."""
        before = self._phase
        self.restore_phase(phase, start, stop, total)
        owners = {name.rpartition(".")[0] for name in phase.fresh}
        changes = phase.trainable | phase.fresh
        begins = sorted(changes - self.trained)
        self.best_tracker.enter(lambda: {name: whole(self.model.get_parameter(name)) for name in begins})
        restore(self.model, {name: t for name, t in self.reinit_state.items() if name.rpartition(".")[0] in owners})
        self.trained = self.trained | changes
        if phase.options.optimizer_state == "reset":
            self.optimizer_state = None
        elif phase.options.optimizer_state == "reset_new" and before is not None and self.optimizer_state is not None:
            self.optimizer_state = optimizers.forget(self.optimizer_state, phase.trainable - before.trainable)
        self.set_trainable()

    def restore_phase(self, phase: PhasePlan, start: int, stop: int, total: int) -> None:
        """Be in a phase without beginning it, as a resumed trial is."""
        self._phase, self.start, self.stop, self.total = phase, start, stop, total
        self.stoppers = stoppers(phase.options, self.task.metric_info, self.task.primary_metric)

    def set_trainable(self) -> None:
        """Freeze everything but the phase's set, less what the controller has settled, if that leaves something."""
        settled = self.controller.settled if self.controller is not None else frozenset()
        active = self.phase.trainable - settled or self.phase.trainable
        freezing.freeze(self.model, active, self.strategy.frozen_norm)
        self.count = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        self.trainable_set_changed = False

    def scale(self, step: int) -> float:
        """The factor on every group's learning rate at an optimizer step of this phase."""
        curve = self.phase.options.schedule or self.strategy.schedule
        within, length = step - self.start, self.stop - self.start
        position, span = (step, self.total) if curve.over == "run" else (within, length)
        return schedule.factor(curve, position, span) * schedule.entry(self.phase.options, within, length)

    def configure_model(self) -> None:
        if self.shards and self.device_mesh is not None:
            shard(self.model, [stage.name for stage in self.stages], self.device_mesh["data_parallel"])

    def configure_optimizers(self) -> Optimizer:
        """All parameters, in static groups; the state of the phase before is carried over."""
        fused = not self.shards  # not every fused step knows shards
        optimizer = optimizers.optimizer(self.strategy, self.stages, self.phases, fused=fused)
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
            for group in optimizer.param_groups:
                if not any(parameter in optimizer.state for parameter in group["params"]):
                    group.pop("step", None)  # some count steps per group: what was frozen so far begins at the first
        return optimizer

    # -- training --------------------------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
        if world != self.trainer.world_size:  # a process too few would silently train on a part of the examples
            raise RuntimeError(f"{self.trainer.world_size} processes were asked for, {world} are there")
        signals.reclaim()
        self.before = freezing.checksums(self.model)  # here, as sharding has happened by now

    def train_dataloader(self) -> Loader:
        """The next round: the steps up to the next validation."""
        if self.before_first_round is not None:
            self.before_first_round()
            self.before_first_round = None
        start = self._round_began = int(self.trainer.global_step)
        stop = min(start + self.interval, self.stop)
        rank, world = self._share()
        return self.data.train_loader(
            self.task.collate,
            self.epochs,
            start,
            stop,
            accumulate=self.accumulate,
            rank=rank,
            world=world,
            plain=self.prefix.is_plain,
            load=self.prefix.load,
        )

    def on_train_epoch_start(self) -> None:
        freezing.set_modes(self.model, self.strategy.frozen_norm)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if self._guard is not None:
            self._guard.remember(self.model)
        scale = self.scale(int(self.trainer.global_step))
        for group in self.trainer.optimizers[0].param_groups:
            factor = self.controller.factor(group) if self.controller is not None else 1.0
            group["lr"] = group["rates"][self.phase.number] * scale * factor

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with self.prefix.replaying(batch) as seen:
            if self.penalty is None:
                out, extra = self.task.training_step(self.model, seen), None
            else:
                with self.penalty.watching(seen):
                    out = self.task.training_step(self.model, seen)
                extra = self.penalty.value()
        if out.loss is None:
            raise RuntimeError(f"{type(self.task).__name__}.training_step gave no loss")
        self._losses.add(out.loss, out.n)
        self._batch = batch
        return (out.loss if extra is None else out.loss + extra) * self._weight(out.n)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self._guard is not None and self._guard.leaves_out(self.model, optimizer, self.trainer):
            self.events.write("skipped", step=int(self.trainer.global_step) + 1)
            return
        if self.controller is not None and not is_skipped(self.trainer, self.model):
            self.controller.observe(self.model, carried(self.trainer, optimizer))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        step = int(self.trainer.global_step)
        if self.mean is not None and self.swa_start is None and step > self.taken:  # else it was only accumulated
            self.mean.update(self.model)
        if step > self.taken:
            self.progress.step(step)
        self.taken = step

    def on_train_epoch_end(self) -> None:
        loss = self._losses.mean(self.trainer.world_size, skip=self._guard is not None)
        step = int(self.trainer.global_step)
        self.end_round(step, loss, groups.shown_rates(self.trainer.optimizers[0]))
        if self.mean is not None and self.swa_start is not None and step >= self.swa_start:
            self.mean.update(self.model)
        if self.controller is not None and self.controller.is_due(step, self.decision_interval):
            before = self.controller.settled
            changed = self.controller.decide(self.model, self._batch, self.scale(step - 1)) != before
            self.trainable_set_changed = changed and not self.trainer.should_stop  # else the phase is over anyway
            self.trainer.should_stop = self.trainer.should_stop or self.trainable_set_changed
        if self.on_validation is not None:
            self.on_validation(self.rounds, self.values)
        self.after_round()

    def end_round(self, step: int, loss: float, rates: dict[str, float]) -> None:
        """Record a round: its mean training loss, the validation that ended it, and the rates by name."""
        self.rounds += 1
        values: dict[str, float | None] = {"train/loss": loss}
        values |= {f"val/{name}": value for name, value in self.values.items()}
        values |= {f"optim/lr-{name}": rate for name, rate in rates.items()}
        self.record(step, values | self.phase_metrics())

    def on_train_end(self) -> None:
        self.optimizer_state = self.trainer.optimizers[0].state_dict()

    def phase_metrics(self) -> dict[str, float | None]:
        """Which phase this is and how much trains, as metrics."""
        return {"finetune/phase": float(self.phase.number + 1), "finetune/trainable_params": float(self.count)}

    def record(self, step: int, values: dict[str, float | None]) -> None:
        """A row of metrics at an optimizer step; the epoch may be a fraction."""
        epoch = round(step / self.epochs.steps_per_epoch, 4)
        if (step, *sorted(values)) in self.recorded:
            return
        self.events.write("metrics", step=step, epoch=epoch, values=values)
        self.progress.metrics(values)
        shown = [
            f"{name} {value:.4g}"
            for name, value in values.items()
            if value is not None and not name.startswith(_UNSAID)
        ]
        if shown:
            self.say(f"step {step}/{self.total}  {'  '.join(shown)}")

    # -- evaluation ------------------------------------------------------------------------------------------------

    def val_dataloader(self) -> Loader:
        return self.held_out("val")

    def test_dataloader(self) -> Loader:
        return self.held_out("test")

    def held_out(self, name: str) -> Loader:
        """A split in its own order."""
        rank, world = self._share()
        return self.data.eval_loader(name, self.task.collate, rank=rank, world=world, load=self.prefix.load)

    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == TrainerFn.FITTING and self._guard is None:
            self._stop_at_a_bad_loss()
        self._swap()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        with self.prefix.replaying(batch) as seen:
            self.task.eval_step(self.model, seen, self.metrics)

    def on_validation_epoch_end(self) -> None:
        over = self.update_best(self.task.compute(self.metrics))
        self.trainer.should_stop = self.trainer.should_stop or over
        self._swap()

    def update_best(self, values: dict[str, float | None]) -> bool:
        """Take in a validation: is it the best so far, and is the phase over?"""
        self.values = values
        name = self.task.primary_metric
        value = values[name]
        if value is None:
            raise RuntimeError(f"val/{name} is undefined on this validation set, so no model can be chosen by it")
        if not self.keeps:
            return False
        self.best_tracker.offer(value, self.task.metric_info[name].goal, self.values, self.snapshot)
        over = [stopper.is_over(values) for stopper in self.stoppers]  # each has to see every validation
        return any(over)

    def _swap(self) -> None:
        """An exponential mean is what is validated while training."""
        if self.mean is not None and self.swa_start is None and self.trainer.state.fn != "validate":
            self.mean.swap(self.model)

    def _stop_at_a_bad_loss(self) -> None:
        """All processes do, if one has to: the others would wait for it."""
        bad = self._losses.first_bad()
        if not self.trainer.strategy.reduce_boolean_decision(bad is not None, all=False):
            return
        number, value = bad or (0, math.nan)
        step = self._round_began + number // self.accumulate
        folder = self.events.path.parent if self.events.path is not None else None
        raise nan_guard.stop(step, value, self.data, self.task, self.epochs, folder)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        with self.prefix.replaying(batch) as seen:
            out = self.task.eval_step(self.model, seen, self.metrics)
            records = self.task.predict(self.model, seen, out)
        if self.trainer.world_size > 1:  # batches are shared out: each process has as many
            parts: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(parts, records)
            records = [record for part in parts for record in part]
        self.predicted(records)

    def on_test_epoch_end(self) -> None:
        self.values = self.task.compute(self.metrics)

    # -- several processes -----------------------------------------------------------------------------------------

    def _share(self) -> tuple[int, int]:
        return int(self.trainer.global_rank), int(self.trainer.world_size)

    def _weight(self, n: int) -> float:
        """Lightning averages over parts of a batch and DDP over processes; this makes it an average over examples."""
        parts = self.accumulate * int(self.trainer.world_size)
        return n * parts / self.epochs.size(int(self.trainer.global_step))


_UNSAID = ("optim/", "finetune/")
