"""What a trial would do and cost, from shapes alone: everything is built on the meta device, nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from tlx.backbones import load
from tlx.backbones.backbone import Backbone
from tlx.backbones.partition.stages import Stage
from tlx.columns import Image
from tlx.columns.image_reader import check_steps
from tlx.columns.input_spec import ImageSpec, not_taken
from tlx.columns.schema import Schema
from tlx.components.registry import component
from tlx.config import augmentation
from tlx.config.schema import Trial
from tlx.data.module import Data
from tlx.data.order import Epochs
from tlx.data.sampling import Sampling, check_targets, sampling
from tlx.feature_cache.cut import FrozenPrefix
from tlx.planning.cache_estimate import CacheEstimate, cache_estimate
from tlx.planning.pass_cost import pass_cost
from tlx.strategies import freezing, optimizers, stopping
from tlx.strategies.phases import PhasePlan, budget_steps, plan
from tlx.strategies.rates import rates, stage_rates
from tlx.strategies.validation_schedule import Counts, ValidationSchedule, validation_schedule
from tlx.tasks.check import check, check_validation
from tlx.tasks.load import load as load_task
from tlx.tasks.network import specs
from tlx.tasks.protocol import Task
from tlx.training import whole_model
from tlx.training.assembly import assemble
from tlx.training.precision import check_features_precision

_ASSUMED = 1000  # training examples of a data set that is not here
_STATES = {"sgd": 1, "rmsprop": 1, "adagrad": 1, "adadelta": 2, "lion": 1}  # tensors kept per parameter; others: 2
_PROBE = 2  # examples pushed through the network; costs are scaled to the batch


@dataclass(frozen=True)
class PhaseCost:
    """One phase: what trains, its stages' full learning rates, when it ends, and the cost of one of its steps."""

    plan: PhasePlan
    start: int
    stop: int
    trained: int
    rates: dict[str, float]  # of the stages that train, shallow to deep
    forward: float  # FLOPs of one step
    backward: float
    memory: float  # bytes: weights, gradients, optimizer state and saved activations
    saving: CacheEstimate | str  # by reuse of the frozen prefix; else why not


@dataclass(frozen=True)
class TrialPlan:
    """A trial on paper."""

    schema: Schema
    stages: list[Stage]
    phases: list[PhaseCost]
    steps_per_epoch: int
    parameters: int
    inputs: list[str]  # what the network will see of each
    validations: ValidationSchedule
    sampling: Sampling | None = None  # how examples are drawn, where not each comes once per epoch
    notes: list[str] = field(default_factory=list)  # on the data


@dataclass(frozen=True)
class MetaModel:
    """A trial's parts on the meta device."""

    schema: Schema
    backbone: Backbone
    model: nn.Module
    stages: list[Stage]
    phases: list[PhasePlan]
    rates: dict[str, tuple[float, ...]]  # parameter to full learning rate, by phase
    steps_per_epoch: int
    data: Data | None  # what the network is built by; None where it would have to be fetched
    sampling: Sampling | None = None

    @property
    def notes(self) -> list[str]:
        """What is to be known of the data."""
        return self.data.source.notes if self.data is not None else []


def outline(trial: Trial, data: Data | None = None) -> MetaModel:
    """Find everything wrong that can be found without weights or training.

    Every example is looked at, as before training, once for both. A hub data set is not fetched: 1000 examples of 10
    labels are assumed, and ``schema.counts`` is empty.

    Args:
        trial: To be built on the meta device.
        data: Of the trial, where somebody has them (:func:`data_of`); with them, nothing is assumed.

    Raises:
        RequestError: Something is wrong.
    """
    data = data_of(trial) if data is None and _is_here(trial) else data
    schema = data.schema if data is not None else _assumed(trial)
    drawn = sampling(data.source, data.splits["train"], trial.dataset) if data is not None else None
    whole_model.check(trial, schema)
    task, backbone, model, cut = _network(trial, schema)
    if data is not None:
        while data.leave_out(specs(model)):  # what is left of train says what the network expects
            schema, drawn = data.schema, sampling(data.source, data.splits["train"], trial.dataset)
            task, backbone, model, cut = _network(trial, schema)
        _check_augmentation(trial, schema, model)
        if targets := _of_val(data):
            check_validation(load_task(trial.task, schema), targets)  # that one is on the meta device
    epochs = Epochs(schema.counts.get("train", _ASSUMED), trial.strategy.batch_size, trial.seed_of_order)
    optimizers.check(trial.strategy.optimizer)
    stopping.check(trial.strategy, task.metric_info)
    phases = plan(trial.strategy, cut, epochs.steps_per_epoch, trial.seed_of_init)
    check_features_precision(trial, phases)
    return MetaModel(
        schema=schema,
        backbone=backbone,
        model=model,
        stages=cut,
        phases=phases,
        rates=rates(trial.strategy, cut, phases),
        steps_per_epoch=epochs.steps_per_epoch,
        data=data,
        sampling=drawn,
    )


def plan_trial(trial: Trial, made: MetaModel | None = None) -> TrialPlan:
    """Plan a trial, with what each phase costs.

    Args:
        trial: To be planned.
        made: Its parts, where somebody has them.

    Raises:
        RequestError: As :func:`outline` does.
    """
    made = outline(trial) if made is None else made
    total = budget_steps(trial.strategy, made.steps_per_epoch)
    size = min(made.schema.counts.get("train", _ASSUMED), trial.strategy.batch_size)
    counts = Counts(made.schema.counts.get("train", _ASSUMED), made.schema.counts.get("val", 0), made.steps_per_epoch)
    validations = validation_schedule(trial.strategy, counts, made.phases)
    costs: list[PhaseCost] = []
    start, passed = 0, None  # what an earlier phase computes once
    for phase in made.phases:
        stop = start + phase.length(start, total)
        shown = stage_rates(phase, made.stages, made.rates)
        found = _phase(trial, phase, made, shown, start, stop, size, passed, validations.interval)
        costs.append(found)
        passed = passed or (found.saving.cut if isinstance(found.saving, CacheEstimate) else None)
        if passed is not None:
            passed = replace(passed, tensors=passed.tensors - phase.trainable)
        start = stop
    parameters = sum(p.numel() for p in made.model.parameters())
    expected = specs(made.model)
    inputs = [*made.schema.read_as(expected), *not_taken(getattr(trial.backbone, "input", None), expected)]
    return TrialPlan(
        schema=made.schema,
        stages=made.stages,
        phases=costs,
        steps_per_epoch=made.steps_per_epoch,
        parameters=parameters,
        inputs=inputs,
        validations=validations,
        sampling=made.sampling,
        notes=made.notes,
    )


def data_of(trial: Trial, others: Data | None = None) -> Data:
    """The data of a trial as they are trained on, sound ones alone; fetched, where they are not here.

    Args:
        trial: Whose data.
        others: Those of a trial with the same ``dataset``: they are not looked at again.

    Raises:
        DataError: They cannot be used.
    """
    seed, order_seed, batch_size = trial.seed, trial.seed_of_order, trial.strategy.batch_size
    if others is not None:
        return others.with_seeds(seed, order_seed, batch_size)
    return Data(trial.dataset, seed=seed, batch_size=batch_size, order_seed=order_seed)


def _is_here(trial: Trial) -> bool:
    return "outline" not in component("dataset", trial.dataset.kind).functions


def _assumed(trial: Trial) -> Schema:
    """What is taken for granted of data that are not fetched."""
    found: Schema = component("dataset", trial.dataset.kind).function("outline")(trial.dataset)
    check_targets(found.columns, trial.dataset)
    return found


def _network(trial: Trial, schema: Schema) -> tuple[Task, Backbone, nn.Module, list[Stage]]:
    """The task's model on the backbone, without weights, and its stages."""
    with torch.device("meta"):
        backbone = load.outline(trial.backbone, columns=schema.inputs)
        task = load_task(trial.task, schema)
        check(trial, task, backbone)
        model = task.build(backbone, schema)
        return task, backbone, model, assemble(trial, model, backbone)


def _check_augmentation(trial: Trial, schema: Schema, model: nn.Module) -> None:
    """Refuse steps that images of these data cannot take, as they are refused where images are read."""
    steps = augmentation.steps(trial.dataset.augment, trial.dataset.augment_steps)
    for name, spec in specs(model).items():
        column = schema.inputs.get(name)
        if isinstance(spec, ImageSpec) and isinstance(column, Image):
            check_steps(steps, column, spec.channels)


def _of_val(data: Data) -> dict[str, Tensor]:
    """What is to be predicted of val; empty where it is read one by one."""
    values = {column.name: data.source.rows[column.name] for column in data.source.columns if column.role == "target"}
    rows = data.splits["val"]
    found = {name: torch.from_numpy(one[rows]) for name, one in values.items() if isinstance(one, np.ndarray)}
    return found if len(found) == len(values) else {}


def _phase(
    trial: Trial,
    phase: PhasePlan,
    made: MetaModel,
    shown: dict[str, float],
    start: int,
    stop: int,
    batch: int,
    passed: FrozenPrefix | None,
    interval: int,
) -> PhaseCost:
    model = made.model
    freezing.freeze(model, phase.trainable, trial.strategy.frozen_norm)
    forward, backward, saved = pass_cost(model, _PROBE)
    found = cache_estimate(
        trial,
        model,
        phase.trainable,
        tokens=load.TOKENS,
        forward=forward / _PROBE,
        backward=backward / _PROBE,
        steps=stop - start,
        rounds=-(-(stop - start) // interval),
        n_train=made.schema.counts.get("train", _ASSUMED),
        n_val=made.schema.counts.get("val", 0),
        batch=batch,
        before=passed,
    )
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    held = total + trained * (1 + _STATES.get(trial.strategy.optimizer.name, 2))
    scale = batch / _PROBE
    return PhaseCost(
        plan=phase,
        start=start,
        stop=stop,
        trained=trained,
        rates=shown,
        forward=forward * scale,
        backward=backward * scale,
        memory=4.0 * held + saved * scale,
        saving=found,
    )
