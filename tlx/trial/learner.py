"""The Lightning side of a trial: a task's steps, the phase's trainable set and rates, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from tlx.backbones.stages import HEAD, Stage
from tlx.data.module import Data
from tlx.data.order import Epochs
from tlx.strategies import freezing, groups
from tlx.strategies.options import Strategy
from tlx.strategies.phases import PhasePlan, validation_interval
from tlx.tasks.protocol import Batch, Task
from tlx.tracking.journal import Journal
from tlx.trial.checkpoint import tensors


class Learner(LightningModule):
    """Trains one phase at a time; :meth:`enter` says which."""

    def __init__(
        self,
        strategy: Strategy,
        task: Task,
        model: nn.Module,
        stages: Sequence[Stage],
        data: Data,
        epochs: Epochs,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.strategy = strategy
        self.task = task
        self.model = model
        self.stages = list(stages)
        self.data = data
        self.epochs = epochs
        self.accumulate = accumulate
        self.interval = validation_interval(strategy, epochs.steps_per_epoch)
        self.metrics = task.metrics()
        self.journal = Journal(None)
        self.say: Callable[[str], None] = lambda line: None
        self.trained: frozenset[str] = frozenset()
        self.best: Best = Best()  # of the whole run
        self.best_of_phase: Best = Best()
        self.predictions: list[dict[str, Any]] = []
        self.values: dict[str, float | None] = {}  # of the last evaluation
        self._phase: PhasePlan | None = None
        self._start = self._stop = self._total = 0
        self._optimizer_state: dict[str, Any] | None = None
        self._losses: list[tuple[Tensor, int]] = []

    # -- the phase -------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> PhasePlan:
        """The phase being run."""
        if self._phase is None:
            raise RuntimeError("no phase entered yet")
        return self._phase

    def enter(self, phase: PhasePlan, start: int, stop: int, total: int) -> None:
        """Begin a phase that covers optimizer steps ``start`` to ``stop`` of ``total``."""
        self._phase, self._start, self._stop, self._total = phase, start, stop, total
        self.best_of_phase = Best()
        if self.best.state is not None:  # what begins to train now still is as it was when the best was found
            own = dict(self.model.named_parameters())
            self.best.state |= {name: _copy(own[name]) for name in phase.trainable - self.trained}
        self.trained = self.trained | phase.trainable
        if phase.options.optimizer_state == "reset":
            self._optimizer_state = None
        freezing.freeze(self.model, phase.trainable, self.strategy.frozen_norm)

    def scale(self, step: int) -> float:
        """The factor on every group's learning rate at an optimizer step of this phase."""
        whole = self.strategy.schedule.over == "run"
        position, length = (step, self._total) if whole else (step - self._start, self._stop - self._start)
        return groups.factor(self.strategy, position, length) * self.phase.options.lr_scale

    def configure_optimizers(self) -> Optimizer:
        """All parameters, in static groups; the state of the phase before is carried over."""
        optimizer = groups.optimizer(self.strategy, self.stages)
        if self._optimizer_state is not None:
            optimizer.load_state_dict(self._optimizer_state)
        return optimizer

    # -- training --------------------------------------------------------------------------------------------------

    def train_dataloader(self) -> DataLoader[Any]:
        """The next round: the steps up to the next validation."""
        start = int(self.trainer.global_step)
        stop = min(start + self.interval, self._stop)
        return self.data.train_loader(
            self.task.collate, self.epochs, start, stop, accumulate=self.accumulate, **self._share()
        )

    def on_train_epoch_start(self) -> None:
        freezing.set_modes(self.model, self.strategy.frozen_norm)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        scale = self.scale(int(self.trainer.global_step))
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["base_lr"] * scale

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        out = self.task.training_step(self.model, batch)
        if out.loss is None:
            raise RuntimeError(f"{type(self.task).__name__}.training_step gave no loss")
        self._losses.append((out.loss.detach(), out.n))
        return out.loss * self._weight(out.n)

    def on_train_epoch_end(self) -> None:
        seen = torch.stack(
            [torch.stack([loss * n, torch.tensor(float(n), device=loss.device)]) for loss, n in self._losses]
        )
        total = seen.sum(0)
        if self.trainer.world_size > 1:
            torch.distributed.all_reduce(total)
        loss = float(total[0] / total[1])
        self._losses.clear()
        step = int(self.trainer.global_step)
        values = {"train/loss": loss, **{f"val/{name}": value for name, value in self.values.items()}}
        values |= {f"optim/lr-{name}": rate for name, rate in self._shown_rates().items()}
        self.record(step, values)

    def on_train_end(self) -> None:
        self._optimizer_state = self.trainer.optimizers[0].state_dict()

    def record(self, step: int, values: dict[str, float | None]) -> None:
        """A row of metrics at an optimizer step; the epoch may be a fraction."""
        epoch = round(step / self.epochs.steps_per_epoch, 4)
        self.journal.write("metrics", step=step, epoch=epoch, values=values)
        shown = (f"{name} {value:.4g}" for name, value in values.items() if value is not None and "optim/" not in name)
        self.say(f"step {step}/{self._total}  {'  '.join(shown)}")

    # -- evaluation ------------------------------------------------------------------------------------------------

    def val_dataloader(self) -> DataLoader[Any]:
        return self.data.eval_loader("val", self.task.collate, **self._share())

    def test_dataloader(self) -> DataLoader[Any]:
        return self.data.eval_loader("test", self.task.collate, **self._share())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.task.eval_step(self.model, batch, self.metrics)

    def on_validation_epoch_end(self) -> None:
        self.values = self.task.compute(self.metrics)
        name, mode = self.task.monitor
        value = self.values[name]
        if value is None:
            raise RuntimeError(f"val/{name} is undefined on this validation set, so no model can be chosen by it")
        self.log("monitor", value, logger=False)
        keeps = self.strategy.keep == "best" or any(p.restore == "best" for p in self.strategy.phases)
        for name in ("best", "best_of_phase") if keeps else ():
            if getattr(self, name).is_reached(value, mode):
                state = tensors(self.model, self.trained)
                setattr(self, name, Best(value, dict(self.values), state))

    def on_test_epoch_start(self) -> None:
        self.predictions = []

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        out = self.task.eval_step(self.model, batch, self.metrics)
        self.predictions += self.task.predict(self.model, batch, out)

    def on_test_epoch_end(self) -> None:
        self.values = self.task.compute(self.metrics)
        if self.trainer.world_size > 1:
            parts: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(parts, self.predictions)
            self.predictions = [record for part in parts for record in part]
        self.predictions.sort(key=lambda record: record["index"])

    # -- several processes -----------------------------------------------------------------------------------------

    def _share(self) -> dict[str, int]:
        return {"rank": int(self.trainer.global_rank), "world": int(self.trainer.world_size)}

    def _weight(self, n: int) -> float | Tensor:
        """DDP averages over processes; this makes it an average over examples when their shares differ by one."""
        if self.trainer.world_size == 1:
            return 1.0
        total = torch.tensor(float(n), device=self.device)
        torch.distributed.all_reduce(total)
        return n * self.trainer.world_size / total

    def _shown_rates(self) -> dict[str, float]:
        """The rates of the last step: the head's, and the backbone's when any of it trains."""
        rates = {group["name"].split("/")[0]: group["lr"] for group in self.trainer.optimizers[0].param_groups}
        training = [stage.name for stage in self.stages if set(stage.names) & self.phase.trainable]
        shown = {"head" if name == HEAD else "backbone": rates[name] for name in training}
        return dict(sorted(shown.items()))


@dataclass
class Best:
    """The best validation so far, and the tensors that reached it."""

    value: float | None = None
    values: dict[str, float | None] = field(default_factory=dict)  # every metric of that validation
    state: dict[str, Tensor] | None = None

    def is_reached(self, value: float, mode: str) -> bool:
        """Is ``value`` at least as good? (an equal later one wins)"""
        return self.value is None or (value >= self.value if mode == "max" else value <= self.value)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone()
