"""The network of a trial: its backbone with the weights it begins from, the task's model, its stages; and trained.

Nothing here reads a data set: what a network must know of it is in a schema.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tlx.backbones import weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load as load_backbone
from tlx.backbones.partition.stages import Stage, digest, merge, stages
from tlx.backbones.weights import State
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.data import schema_file
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.strategies import freezing
from tlx.strategies.peft import adapters
from tlx.strategies.phases import PhasePlan
from tlx.tasks.load import load as load_task
from tlx.tasks.protocol import Task
from tlx.tasks.whole import WholeNetwork
from tlx.tracking.store import run_folder
from tlx.training.checkpoint import opened, origin, read, restore
from tlx.training.locate import experiment, locate


@dataclass
class Trained:
    """A finished trial's network with its trained weights, and what it needs to be used."""

    trial: Trial
    schema: Schema
    backbone: Backbone
    task: Task
    model: nn.Module


def trained(where: Path) -> Trained:
    """The trained network of a run folder, which need not have its data set any more.

    Raises:
        FileNotFoundError: It is no folder of a finished trial.
        WeightsError: The weights do not belong to the network that is built here.
    """
    check_finished(where)
    trial, schema = folders.read_config(where), schema_file.read(where)
    task, backbone, model, cut = network(trial, schema, pretrained=trial.strategy.init == "pretrained")
    restore(model, read(where / layout.CHECKPOINT, origin(digest(cut), freezing.checksums(model))))
    return Trained(trial, schema, backbone, task, model.eval())


def check_finished(where: Path) -> None:
    """See that a folder is one of a finished trial of this version's kind."""
    if not (where / layout.RESULT).is_file():
        raise FileNotFoundError(f"{where} is not the folder of a finished trial (it has no {layout.RESULT})")
    if results.is_older(where):
        raise ConfigError([ConfigIssue(layout.RESULT, results.OLDER, where)])


def after_backbone(trial: Trial, schema: Schema) -> Tensor:
    """The random state in which a trial builds its head: building the backbone has drawn from it before."""
    pretrained = trial.strategy.init == "pretrained"  # loading draws other numbers than leaving it at random
    if (key := _drawn_by(trial, schema, pretrained)) not in _STATES:
        _backbone(trial, schema, pretrained)
    return _STATES[key]


def _backbone(trial: Trial, schema: Schema, pretrained: bool) -> Backbone:
    """The backbone; the random state it leaves is remembered, by what it depends on."""
    seed_everything(trial.seed)
    found = load_backbone(trial.backbone, columns=schema.inputs, pretrained=pretrained, read=reader(trial))
    _STATES[_drawn_by(trial, schema, pretrained)] = torch.get_rng_state()
    return found


def _drawn_by(trial: Trial, schema: Schema, pretrained: bool) -> str:
    columns = [column.settings() for column in schema.inputs.values()]
    return json.dumps([identity_fields([trial.backbone, pretrained, trial.seed]), columns], sort_keys=True)


_STATES: dict[str, Tensor] = {}


def network(trial: Trial, schema: Schema, *, pretrained: bool) -> tuple[Task, Backbone, nn.Module, list[Stage]]:
    """The task's model on the backbone, and its stages; the same seed gives the same network."""
    backbone = _backbone(trial, schema, pretrained)
    task = load_task(trial.task, schema)
    model = task.build(backbone, schema)
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


def fresh(trial: Trial, schema: Schema, phases: list[PhasePlan]) -> State:
    """The random weights of what some phase begins anew, and the buffers beside them: those of an untrained twin."""
    names = {name for phase in phases for name in phase.fresh}
    if not names:
        return {}
    before = torch.get_rng_state()
    _, _, twin, _ = network(trial, schema, pretrained=False)
    torch.set_rng_state(before)
    parameters = {name for name, _ in twin.named_parameters()}
    owners = {name.rpartition(".")[0] for name in names}
    return {
        name: tensor
        for name, tensor in twin.state_dict().items()
        if name in names or (name not in parameters and name.rpartition(".")[0] in owners)
    }


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
        model = trained(where).model
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


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; data order and augmentation have seeds of their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # libraries still draw from it
    torch.manual_seed(seed)
