"""The parts of a trial, in order: data -> backbone -> task head -> stages -> phases -> module."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load as load_backbone
from tlx.backbones.partition.stages import Stage, digest, merge, stages
from tlx.backbones.weights import State
from tlx.components.parts import parts_without
from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.data import schema_file
from tlx.data.module import Data
from tlx.feature_cache.prefix_cache import PrefixCache
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.strategies import freezing, optimizers, stopping
from tlx.strategies.peft import adapters
from tlx.strategies.phases import PhasePlan, plan
from tlx.strategies.rates import rates
from tlx.tasks.check import check
from tlx.tasks.load import load as load_task
from tlx.tasks.network import specs
from tlx.tasks.protocol import Task
from tlx.tasks.whole import WholeNetwork
from tlx.tracking.store import run_folder
from tlx.training.checkpoint import opened, origin, read, restore
from tlx.training.locate import experiment, locate
from tlx.training.machine import Machine, choose_machine
from tlx.training.module import TrialModule


@dataclass
class TrialComponents:
    """Everything a trial runs with."""

    machine: Machine
    data: Data
    backbone: Backbone
    stages: list[Stage]
    phases: list[PhasePlan]
    rates: dict[str, tuple[float, ...]]  # parameter to full learning rate, by phase
    module: TrialModule
    origin: str  # of the model before training: what a checkpoint belongs to


def build(trial: Trial) -> TrialComponents:
    """Build a trial; raises :class:`~tlx.config.errors.RequestError` for data or weights that cannot be used."""
    machine = choose_machine(trial.hardware)
    data = Data(trial.dataset, seed=trial.seed, batch_size=trial.strategy.batch_size, workers=trial.hardware.workers)
    task, backbone, model, cut = _network(trial, data, pretrained=trial.strategy.init == "pretrained")
    check(trial, task, backbone)
    data.prepare(specs(model), trial.reuse.views)
    task.fit(data.examples["train"].targets)
    epochs = data.epochs(machine.world, trial.hardware.accumulate)
    phases = plan(trial.strategy, cut, epochs.steps_per_epoch, trial.seed)
    optimizers.check(trial.strategy.optimizer)
    stopping.check(trial.strategy, task.metric_info)
    title = trial.backbone.alias or trial.backbone.name
    prefix = PrefixCache(trial.reuse, model, backbone, data, *_obstacles(trial, machine, task), title)
    module = TrialModule(trial.strategy, task, model, cut, phases, data, epochs, prefix, trial.hardware.accumulate)
    module.reinit_state = _fresh(trial, data, phases)
    table = rates(trial.strategy, cut, phases)
    return TrialComponents(
        machine, data, backbone, cut, phases, table, module, origin(digest(cut), freezing.checksums(model))
    )


def build_sibling(first: TrialComponents, trial: Trial) -> TrialComponents:
    """A trial that differs from the ``first`` one's in seed and head alone, built on its data and its backbone."""
    data = first.data.reseeded(trial.seed)
    torch.set_rng_state(_after_backbone(trial, data))
    task = load_task(trial.task, data.schema)
    model = task.build(first.backbone, data.schema)
    cut = [replace(stage, model=model) for stage in first.stages]
    task.fit(data.examples["train"].targets)
    epochs = data.epochs(first.machine.world, trial.hardware.accumulate)
    phases = plan(trial.strategy, cut, epochs.steps_per_epoch, trial.seed)
    stopping.check(trial.strategy, task.metric_info)
    module = TrialModule(trial.strategy, task, model, cut, phases, data, epochs, first.module.prefix)
    table = rates(trial.strategy, cut, phases)
    return TrialComponents(first.machine, data, first.backbone, cut, phases, table, module, origin="")


def reader(trial: Trial) -> weights.Reader:
    """Reads what ``backbone.weights`` names, earlier trials included."""

    def read(source: str) -> weights.State:
        if source.startswith("trial:"):
            where = locate(experiment(source, trial)).path
            if not (where / layout.RESULT).is_file():
                command = f"tlx train experiment={source.removeprefix('trial:')}"
                raise WeightsError([ConfigIssue("backbone.weights", f"not trained yet; run: {command}", source)])
            return backbone_of(where)
        if source.startswith("mlflow:"):
            return backbone_of(run_folder(trial.tracking, source.removeprefix("mlflow:")))
        return weights.read(source)

    return read


def backbone_of(where: Path) -> weights.State:
    """The backbone's tensors of a finished trial, those it never trained included."""
    result, source = results.read_result(where), folders.read_config(where)
    if "weights" not in result.facts:
        raise WeightsError([ConfigIssue("backbone.weights", "its result does not say what it began from", where)])
    from_nothing = result.facts["weights"] == "none" and result.trained < result.parameters
    if source.strategy.peft is not None or from_nothing:  # adapters to merge, or random weights to draw again
        model = rebuilt(where).module.model
        try:
            whole_state = (adapters.merge(model) if source.strategy.peft is not None else model).state_dict()
        except ConfigError as error:
            reasons = [ConfigIssue("backbone.weights", problem.message, str(where.name)) for problem in error.problems]
            raise WeightsError(reasons) from error
        return {name.removeprefix("backbone."): t for name, t in whole_state.items() if name.startswith("backbone.")}
    state = {name.removeprefix("backbone."): t for name, t in opened(where / layout.CHECKPOINT)[1].items()}
    if result.facts["weights"] == "none":  # it began from nothing, and trained everything
        return state
    columns = schema_file.read(where).inputs
    base = load_backbone(source.backbone, columns=columns, read=reader(source)).module.state_dict()
    return {**base, **state}


def load(run: str | Path) -> TrialModule:
    """The trained model of a run folder as a LightningModule in eval mode, for notebooks."""
    return rebuilt(Path(run)).module.eval()


def rebuilt(where: Path) -> TrialComponents:
    """A finished trial with its trained weights; raises :class:`WeightsError` where they do not belong to it."""
    if not (where / layout.RESULT).is_file():
        raise FileNotFoundError(f"{where} is not the folder of a finished trial (it has no {layout.RESULT})")
    if results.is_older(where):
        raise ConfigError([ConfigIssue(layout.RESULT, results.OLDER, where)])
    built = build(folders.read_config(where))
    restore(built.module.model, read(where / layout.CHECKPOINT, built.origin))
    return built


def _after_backbone(trial: Trial, data: Data) -> Tensor:
    """The random state in which a trial builds its head: building the backbone has drawn from it before."""
    pretrained = trial.strategy.init == "pretrained"  # loading draws other numbers than leaving it at random
    if (key := _drawn_by(trial, data, pretrained)) not in _STATES:
        _backbone(trial, data, pretrained)
    return _STATES[key]


def _backbone(trial: Trial, data: Data, pretrained: bool) -> Backbone:
    """The backbone; the random state it leaves is remembered, by what it depends on."""
    seed_everything(trial.seed)
    found = load_backbone(trial.backbone, columns=data.schema.inputs, pretrained=pretrained, read=reader(trial))
    _STATES[_drawn_by(trial, data, pretrained)] = torch.get_rng_state()
    return found


def _drawn_by(trial: Trial, data: Data, pretrained: bool) -> str:
    columns = [column.settings() for column in data.schema.inputs.values()]
    return json.dumps([identity_fields([trial.backbone, pretrained, trial.seed]), columns], sort_keys=True)


_STATES: dict[str, Tensor] = {}


def _network(trial: Trial, data: Data, *, pretrained: bool) -> tuple[Task, Backbone, nn.Module, list[Stage]]:
    """The task's model on the backbone, and its stages; the same seed gives the same network."""
    backbone = _backbone(trial, data, pretrained)
    task = load_task(trial.task, data.schema)
    model = task.build(backbone, data.schema)
    return task, backbone, model, assemble(trial, model, backbone)


def assemble(trial: Trial, model: nn.Module, backbone: Backbone) -> list[Stage]:
    """Cut the model into stages as the strategy asks, and put in what its ``peft`` says.

    A dry run, which computes shapes alone, settles the order.
    """
    try:
        if isinstance(model, WholeNetwork) and not trial.backbone.stages:
            cut = model.cut()
        else:
            cut = stages(model, trial.backbone.stages or backbone.stages, backbone.example(2))
    except ValueError as error:
        raise ConfigError([ConfigIssue("backbone.stages", str(error), list(trial.backbone.stages))]) from error
    if trial.strategy.partition.max_stages is not None:
        cut = merge(cut, trial.strategy.partition.max_stages)
    if trial.strategy.peft is not None:
        cut = adapters.insert(model, cut, trial.strategy.peft)
    return cut


def _obstacles(trial: Trial, machine: Machine, task: Task) -> tuple[str, str]:
    """Why nothing of the frozen prefix can be reused, and why nothing but a whole backbone's features can."""
    hardware = trial.hardware
    nothing = ""
    if hardware.distributed == "fsdp" and machine.world > 1:
        nothing = "the network is sharded"
    elif hardware.precision == "64-true":
        nothing = "inputs are converted to 64 bits on their way"
    elif left := parts_without(trial, "cacheable"):
        nothing = f"{left[0][0]}={left[0][1].kind} looks at every batch as it passes through the whole network"
    elif task.form != "vector":
        nothing = f"task={trial.task.kind} reads more of the backbone than one vector for each example"
    inner = "the network is compiled" if hardware.compile else ""
    return nothing, inner or ("gradient checkpointing runs stages twice" if hardware.gradient_checkpointing else "")


def _fresh(trial: Trial, data: Data, phases: list[PhasePlan]) -> State:
    """The random weights of what some phase begins anew, and the buffers beside them: those of an untrained twin."""
    names = {name for phase in phases for name in phase.fresh}
    if not names:
        return {}
    before = torch.get_rng_state()
    _, _, twin, _ = _network(trial, data, pretrained=False)
    torch.set_rng_state(before)
    parameters = {name for name, _ in twin.named_parameters()}
    owners = {name.rpartition(".")[0] for name in names}
    return {
        name: tensor
        for name, tensor in twin.state_dict().items()
        if name in names or (name not in parameters and name.rpartition(".")[0] in owners)
    }


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; data order and augmentation have seeds of their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # libraries still draw from it
    torch.manual_seed(seed)
