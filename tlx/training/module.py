"""The Lightning side of a trial: batches, steps, rates, and what callbacks ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from tlx.backbones.partition.stages import Stage
from tlx.backbones.weights import State
from tlx.columns.batch import Batch
from tlx.config.strategy import Strategy
from tlx.data.module import Data, Loader
from tlx.data.order import Epochs
from tlx.feature_cache.prefix_cache import PrefixCache
from tlx.runs import signals
from tlx.runs.metric import Metric
from tlx.strategies import freezing, groups, optimizers, schedule
from tlx.strategies.phases import PhasePlan
from tlx.strategies.regularisers import penalty
from tlx.strategies.sharded import shard
from tlx.strategies.validation_schedule import Counts, validation_schedule
from tlx.tasks.protocol import StepOutput, Task
from tlx.tasks.views import averaged
from tlx.tracking.event_log import EventLog
from tlx.training.callbacks.callback import Stop
from tlx.training.callbacks.context import Context
from tlx.training.callbacks.dispatch import Callbacks
from tlx.training.checkpoint import restore, tensors
from tlx.training.mixing import Mixed, mixing
from tlx.training.predictions import gathered
from tlx.training.requests import check_factors, grant
from tlx.training.scaling import carried, is_skipped
from tlx.training.state import TrainingState
from tlx.training.step_weights import StepWeights


class TrialModule(LightningModule):
    """Trains one phase at a time; :meth:`start_phase` says which."""

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
        counts = Counts(epochs.count, len(data.splits["val"]), epochs.steps_per_epoch)
        self.validations = validation_schedule(strategy, counts, self.phases)
        self.interval = self.validations.interval
        self.metrics = task.metrics()
        self.mixing = mixing(data.config, data.order_seed, task)
        self.penalty = penalty(strategy, model, stages)
        self.state = TrainingState()
        self.callbacks = Callbacks({})
        self.events = EventLog(None)
        self.reinit_state: State = {}  # random weights for what a phase starts anew
        self.shards = False  # FSDP2 instead of whole copies
        self.trying = False  # weights are only measured: no callback hears of the validation
        self.before_first_round: Callable[[], None] | None = None  # how a resumed trial puts its last pieces in place
        self.predicted: Callable[[list[dict[str, Any]]], None] = lambda records: None  # hears of each test batch
        self.snapshot: Callable[[], State] = lambda: tensors(self.model, self.state.trained)  # what a validation leaves
        self.ctx = Context(
            model=self.model,
            stages=self.stages,
            phases=self.phases,
            state=self.state,
            snapshot=lambda: self.snapshot(),
            factor=self.scale,
            steps_per_epoch=epochs.steps_per_epoch,
        )
        self.is_fitting = False  # else weights are only tested
        self._weights = StepWeights(task, data, epochs)
        self.swapped: State = {}  # the weights that train, while others are validated

    @property
    def test_views(self) -> Sequence[str]:
        """The views of images that the test takes the mean over, beside the images as they are."""
        return self.data.config.test_augment

    @property
    def primary(self) -> Metric:
        """The metric that models of the task are chosen and compared by."""
        return self.task.metric_info[self.task.primary_metric]

    # -- phases and fits -------------------------------------------------------------------------------------------

    def start_phase(self, phase: PhasePlan, start: int, stop: int, total: int) -> None:
        """Begin a phase that covers optimizer steps ``start`` to ``stop`` of ``total``."""
        state, before = self.state, self.state.current
        state.enter(phase, start, stop, total)
        state.trainable = phase.trainable
        self.call("on_phase_start")
        owners = {name.rpartition(".")[0] for name in phase.fresh}
        restore(self.model, {name: t for name, t in self.reinit_state.items() if name.rpartition(".")[0] in owners})
        state.trained = state.trained | phase.trainable | phase.fresh
        if phase.options.optimizer_state == "reset":
            state.optimizer = None
        elif phase.options.optimizer_state == "reset_new" and before is not None and state.optimizer is not None:
            state.optimizer = optimizers.forget(state.optimizer, phase.trainable - before.trainable)
        self.set_trainable()

    def set_trainable(self) -> None:
        """Freeze everything but what trains now."""
        freezing.freeze(self.model, self.state.trainable, self.strategy.frozen_norm)
        self.ctx.count = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        self.state.fit_ends = False

    def scale(self, step: int) -> float:
        """The factor on every group's learning rate at an optimizer step of this phase."""
        phase, state = self.state.phase, self.state
        curve = phase.options.schedule or self.strategy.schedule
        within, length = step - state.start, state.stop - state.start
        position, span = (step, state.total) if curve.over == "run" else (within, length)
        return schedule.factor(curve, position, span) * schedule.entry(phase.options, within, length)

    def configure_model(self) -> None:
        if self.shards and self.device_mesh is not None:
            shard(self.model, [stage.name for stage in self.stages], self.device_mesh["data_parallel"])

    def configure_optimizers(self) -> Optimizer:
        """All parameters, in static groups; the state of the phase before is carried over."""
        fused = not self.shards  # not every fused step knows shards
        optimizer = optimizers.optimizer(self.strategy, self.stages, self.phases, fused=fused)
        if self.state.optimizer is not None:
            optimizer.load_state_dict(self.state.optimizer)
            for group in optimizer.param_groups:
                if not any(parameter in optimizer.state for parameter in group["params"]):
                    group.pop("step", None)  # some count steps per group: what was frozen so far begins at the first
        return optimizer

    # -- training --------------------------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        trainer, world = self.trainer, 1
        if torch.distributed.is_initialized():
            world = torch.distributed.get_world_size()
        if world != trainer.world_size:  # a process too few would silently train on a part of the examples
            raise RuntimeError(f"{trainer.world_size} processes were asked for, {world} are there")
        signals.reclaim()
        optimizer = self.ctx.optimizer = trainer.optimizers[0]
        self.ctx.any_process = lambda so: trainer.strategy.reduce_boolean_decision(so, all=False)
        self.ctx.gradient_scale = lambda: carried(trainer, optimizer)
        self.ctx.is_overflown = lambda: is_skipped(trainer, self.model)
        self.is_fitting = True
        check_factors(self)
        self.call("on_fit_start")

    def train_dataloader(self) -> Loader:
        """The next round: the steps up to the next validation."""
        if self.before_first_round is not None:
            self.before_first_round()
            self.before_first_round = None
        start = self.ctx.round_began = int(self.trainer.global_step)
        stop = min(start + self.interval, self.state.stop)
        rank, world = self._share()
        return self.data.train_loader(
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
        self.call("on_batch_start")
        scale, factors = self.scale(int(self.trainer.global_step)), self.state.rate_factors
        for group in self.trainer.optimizers[0].param_groups:
            factor = factors.get(group["names"][0], 1.0) if factors else 1.0
            group["lr"] = group["rates"][self.state.phase.number] * scale * factor

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        with self.prefix.replaying(batch) as seen:
            mixed = self._mixed(seen, batch_idx)
            if self.penalty is None:
                out, extra = self._learn(seen, mixed), None
            else:
                with self.penalty.watching(seen.inputs if mixed is None else mixed.batch.inputs):
                    out = self._learn(seen, mixed)
                extra = self.penalty.value()
        if out.loss is None:
            raise RuntimeError(f"{type(self.task).__name__}.training_step gave no loss")
        self.ctx.losses.add(out.loss, out.weight)
        self.ctx.batch = batch
        return (out.loss if extra is None else out.loss + extra) * self._weight(out.weight)

    def _mixed(self, batch: Batch, number: int) -> Mixed | None:
        """The batch as it is mixed, where that is asked for."""
        if self.mixing is None:
            return None
        rank, world = self._share()
        share = number % self.accumulate * world + rank
        return self.mixing.mixed(self.model, batch, int(self.trainer.global_step), share)

    def _learn(self, batch: Batch, mixed: Mixed | None) -> StepOutput:
        """The loss of a batch, or of what it is mixed to."""
        if mixed is None:
            return self.task.training_step(self.model, batch)
        return mixed.training_step(self.task, self.model)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        self.call("on_before_step")

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        step = int(self.trainer.global_step)
        if step > self.state.step:  # else gradients were only accumulated
            self.state.step = step
            self.call("on_step")

    def on_train_epoch_end(self) -> None:
        loss = self.ctx.losses.mean(self.trainer.world_size, skip=self.strategy.on_nan == "skip")
        self.end_round(loss, groups.shown_rates(self.trainer.optimizers[0]))

    def end_round(self, loss: float, rates: dict[str, float]) -> bool:
        """A round is over, with this mean training loss and these rates, and was validated; is the phase over, too?"""
        self.state.rounds += 1
        self.ctx.training_loss, self.ctx.rates = loss, rates
        return self.call("on_round_end")

    def on_train_end(self) -> None:
        self.is_fitting = False
        self.state.optimizer = self.trainer.optimizers[0].state_dict()

    # -- evaluation ------------------------------------------------------------------------------------------------

    def val_dataloader(self) -> Loader:
        return self.held_out("val")

    def test_dataloader(self) -> Loader:
        return self.held_out("test")

    def held_out(self, name: str) -> Loader:
        """A split in its own order."""
        rank, world = self._share()
        load = None if name == "test" and self.test_views else self.prefix.load  # nothing is kept of views
        return self.data.eval_loader(name, rank=rank, world=world, load=load)

    def on_validation_epoch_start(self) -> None:
        if self.is_fitting:  # of a round
            self.call("on_validation_start")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        with self.prefix.replaying(batch) as seen:
            self.task.eval_step(self.model, seen, self.metrics)

    def on_validation_epoch_end(self) -> None:
        self.validated(self.task.compute(self.metrics))
        restore(self.model, self.swapped)
        self.swapped = {}

    def validated(self, metrics: dict[str, float | None]) -> bool:
        """Take in a validation; is the phase over?"""
        self.state.metrics = metrics
        return not self.trying and self.call("on_validation", metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        model = averaged(self.model, self.task, self.test_views)
        with self.prefix.replaying(batch) as seen:
            out = self.task.eval_step(model, seen, self.metrics)
            records = self.task.predict(model, seen, out)
        self.predicted(gathered(records, self.trainer.world_size))

    def on_test_epoch_end(self) -> None:
        self.state.metrics = self.task.compute(self.metrics)

    # -- callbacks -------------------------------------------------------------------------------------------------

    def call(self, hook: str, *values: Any) -> bool:
        """Call a hook of every callback, and do what they ask for; does one end the phase?"""
        stops = False
        for request in self.callbacks.call(hook, self.ctx, *values):
            grant(self, request)
            stops = stops or isinstance(request, Stop)
        return stops

    # -- several processes -----------------------------------------------------------------------------------------

    def _share(self) -> tuple[int, int]:
        return int(self.trainer.global_rank), int(self.trainer.world_size)

    def _weight(self, weight: float | Tensor) -> float | Tensor:
        """Lightning averages over parts of a batch and DDP over processes; this makes it an average over examples."""
        parts = self.accumulate * int(self.trainer.world_size)
        return weight * parts / self._weights.of_step(int(self.trainer.global_step)) if parts > 1 else 1.0
