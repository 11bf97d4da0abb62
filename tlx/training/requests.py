"""What callbacks ask for, done to the trial that has called them."""

from __future__ import annotations

from typing import Protocol

from pytorch_lightning import Trainer
from torch import nn

from tlx.backbones.weights import State
from tlx.tracking.event_log import EventLog
from tlx.training.callbacks.callback import Record, Request, ScaleRates, SetTrainable, SkipStep, Stop, SwapWeights
from tlx.training.callbacks.context import Context
from tlx.training.callbacks.dispatch import Callbacks
from tlx.training.callbacks.metric_rows import MetricRows
from tlx.training.checkpoint import restore
from tlx.training.state import TrainingState


class Asked(Protocol):
    """A trial that callbacks ask things of."""

    model: nn.Module
    state: TrainingState
    ctx: Context
    callbacks: Callbacks
    events: EventLog
    is_fitting: bool
    swapped: State  # the weights that train, while others are validated

    @property
    def trainer(self) -> Trainer:
        """Lightning's."""


def grant(trial: Asked, request: Request) -> None:
    """Do what a callback asks for; raises :class:`ValueError` for what cannot be done."""
    if isinstance(request, Stop):
        if trial.is_fitting:
            trial.trainer.should_stop = True
    elif isinstance(request, SkipStep):
        _skip_step(trial, request)
    elif isinstance(request, SetTrainable):
        _set_trainable(trial, request)
    elif isinstance(request, ScaleRates):
        trial.state.rate_factors = dict(request.factors)
        check_factors(trial)
    elif isinstance(request, Record) and (rows := trial.callbacks.find(MetricRows)) is not None:
        rows.record(trial.ctx, trial.state.step, dict(request.values))
    elif isinstance(request, SwapWeights):
        own = dict(trial.model.named_parameters())
        trial.swapped = {name: own[name].detach().clone() for name in request.weights}
        restore(trial.model, request.weights)


def check_factors(trial: Asked) -> None:
    """See that factors on rates do not differ within a group of parameters, which has one; raises ValueError."""
    factors, optimizer = trial.state.rate_factors, trial.ctx.optimizer
    for group in optimizer.param_groups if optimizer is not None and factors else ():
        if len({factors.get(name, 1.0) for name in group["names"]}) > 1:
            raise ValueError(
                f"ScaleRates: one factor for all of {group['name']}, which share a rate: {group['names'][:3]}"
            )


def _set_trainable(trial: Asked, request: SetTrainable) -> None:
    phase = trial.state.phase
    if not request.names or not request.names <= phase.trainable:  # others would not be recorded
        odd = sorted(request.names - phase.trainable)
        raise ValueError(f"SetTrainable: expected parameters that this phase trains, found {odd[:3] or 'none'}")
    trial.state.trainable = request.names
    if trial.is_fitting and not trial.trainer.should_stop:  # else the phase is over anyway
        trial.state.fit_ends = trial.trainer.should_stop = True


def _skip_step(trial: Asked, request: SkipStep) -> None:
    trial.trainer.optimizers[0].zero_grad(set_to_none=True)
    restore(trial.model, request.buffers)
    trial.events.write("skipped", step=int(trial.trainer.global_step) + 1)
