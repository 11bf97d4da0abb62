"""The network of a trial: its backbone with the weights it begins from, the task's model, its stages; and trained.

Nothing here reads a data set: what a network must know of it is in a schema.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tlx.backbones import architecture, growth, weights
from tlx.backbones.backbone import Backbone
from tlx.backbones.load import load as load_backbone
from tlx.backbones.partition.stages import Stage
from tlx.backbones.weights import State, content
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue, WeightsError
from tlx.config.identity import identity_fields
from tlx.config.schema import Trial
from tlx.config.tracking import Tracking
from tlx.data import schema_file
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.strategies.peft import adapters
from tlx.strategies.phases import PhasePlan
from tlx.tasks.load import load as load_task
from tlx.tasks.protocol import Task
from tlx.training import earlier_runs, frozen, rebuild, whole_model
from tlx.training.assembly import assemble
from tlx.training.checkpoint import opened, restore
from tlx.training.frozen import Frozen
from tlx.training.locate import experiment, locate
from tlx.training.precision import in_floats


@dataclass
class Trained:
    """A finished trial's network with its trained weights, and what it needs to be used."""

    trial: Trial
    schema: Schema
    backbone: Backbone
    task: Task
    model: nn.Module


def trained(where: Path) -> Trained:
    """The trained network of a run folder, wherever that lies: neither its data set nor a connection is needed.

    Nor is the checkpoint that it began from, where the tensors that never trained are stored beside the others, or
    where there are none. The random numbers of whoever asks stay as they are.

    Raises:
        FileNotFoundError: It is no folder of a finished trial.
        WeightsError: The folder is not what was written, or weights that it refers to are not there.
    """
    check_finished(where)
    trial, schema, known = folders.read_config(where), schema_file.read(where), frozen.read(where)
    rebuild.warn_of_changed_code(where)
    with random_numbers_kept():
        if known.stored or not known.tensors:
            task, backbone, model = _alone(where, trial, schema, known)
        else:
            task, backbone, model = _on_its_base(where, trial, schema, known)
    return Trained(trial, schema, backbone, task, model.eval())


def _alone(where: Path, trial: Trial, schema: Schema, known: Frozen) -> tuple[Task, Backbone, nn.Module]:
    """The network from the folder alone, which is read as a stranger's."""
    with rebuild.reading(where):
        names = [layout.CHECKPOINT, *([layout.FROZEN_TENSORS] if known.tensors else [])]
        task, backbone, model = rebuild.build(trial, schema, where, [where / name for name in names])
        rebuild.fill(model, {**opened(where / layout.CHECKPOINT)[1], **frozen.read_tensors(where, known)})
    return task, backbone, model


def _on_its_base(where: Path, trial: Trial, schema: Schema, known: Frozen) -> tuple[Task, Backbone, nn.Module]:
    """The network on the weights that it began from, if those are there and are the same."""
    own = replace(trial, tracking=Tracking())  # a record of others names no store that is asked
    folder = where / architecture.FOLDER
    if folder.exists() and (trial.strategy.init != "pretrained" or trial.backbone.weights != "hub"):
        architecture.check(folder)
        own = replace(own, backbone=replace(own.backbone, name=str(folder)))
    rebuild.check_settings(trial.backbone)
    rebuild.check_memory(layout.FROZEN, known.bytes)
    file = where / layout.CHECKPOINT
    tensors, size = known.tensors + len(rebuild.shapes_in([file])), known.bytes + file.stat().st_size
    try:
        with growth.bounded(tensors, size), torch.device("meta"):  # no larger than it says that its tensors are
            rebuild.parts(own, schema)
        task, backbone, model, _ = network(own, schema, pretrained=trial.strategy.init != "scratch")
    except growth.TooLarge as error:
        raise rebuild.refusal(layout.FROZEN, str(error)) from error
    except WeightsError as error:
        raise _gone(where, known, error.problems[0].message) from error
    _, state = opened(file)
    in_floats(model, trial.hardware.precision)  # what never trained was made double as well, and its hash taken then
    left = {name: parameter for name, parameter in model.named_parameters() if name not in state}
    rebuild.check_fits(model, {name: list(tensor.shape) for name, tensor in {**state, **left}.items()})
    if len(left) != known.tensors or content(left) != known.sum:
        raise _gone(where, known, "what is there now has other bits")
    restore(model, state)
    return task, backbone, model


def _gone(where: Path, known: Frozen, reason: str) -> WeightsError:
    source = known.source
    came = "drawn from the seed" if source.weights == "none" else f"of {source.backbone}, {source.fingerprint}"
    message = (
        f"the run refers to weights that are not here: {known.tensors} tensors ({known.bytes / 1e6:.1f} MB, "
        f"hash {known.sum}), {came}; {reason}. Put them back where they were, or have the run hold them, on a machine "
        f"that has them: tlx export {where} --whole"
    )
    return WeightsError([ConfigIssue("backbone.weights", message, source.weights)])


def check_finished(where: Path) -> None:
    """See that a folder is one of a finished trial of this version's kind."""
    if not (where / layout.RESULT).is_file():
        raise FileNotFoundError(f"{where} is not the folder of a finished trial (it has no {layout.RESULT})")
    if results.is_older(where):
        raise ConfigError([ConfigIssue(layout.RESULT, results.OLDER, where)])


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Leave the random numbers as they were before the block."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def after_backbone(trial: Trial, schema: Schema) -> Tensor:
    """The random state in which a trial builds its head: building the backbone has drawn from it before."""
    pretrained = trial.strategy.init == "pretrained"  # loading draws other numbers than leaving it at random
    if (key := _drawn_by(trial, schema, pretrained)) not in _STATES:
        _backbone(trial, schema, pretrained)
    return _STATES[key]


def _backbone(trial: Trial, schema: Schema, pretrained: bool) -> Backbone:
    """The backbone; the random state it leaves is remembered, by what it depends on."""
    seed_everything(trial.seed_of_init)
    found = load_backbone(trial.backbone, columns=schema.inputs, pretrained=pretrained, read=reader(trial))
    _STATES[_drawn_by(trial, schema, pretrained)] = torch.get_rng_state()
    return found


def _drawn_by(trial: Trial, schema: Schema, pretrained: bool) -> str:
    columns = [column.settings() for column in schema.inputs.values()]
    return json.dumps([identity_fields([trial.backbone, pretrained, trial.seed_of_init]), columns], sort_keys=True)


_STATES: dict[str, Tensor] = {}


def network(trial: Trial, schema: Schema, *, pretrained: bool) -> tuple[Task, Backbone, nn.Module, list[Stage]]:
    """The task's model on the backbone, and its stages; the same seed gives the same network.

    Args:
        trial: Its configuration.
        schema: The columns of its data.
        pretrained: Give it the weights that the trial begins from; else they are random.
    """
    begins = earlier_runs.begins_from(trial) if pretrained else ""
    backbone = _backbone(trial, schema, pretrained and not begins)
    task = load_task(trial.task, schema)
    model = task.build(backbone, schema)
    if begins:
        earlier = merged(earlier_runs.folder(begins, trial.tracking, whole_model.KEY), whole_model.KEY)
        whole_model.begin(model, backbone, earlier.model, earlier.backbone, begins)
    return task, backbone, model, assemble(trial, model, backbone)


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
            place = locate(experiment(source, trial))
            where = place.path
            if place.result() is None:
                command = f"tlx train experiment={source.removeprefix('trial:')}"
                fault = place.outdated() or results.incomplete(where) or "not trained yet"
                raise WeightsError([ConfigIssue("backbone.weights", f"{fault}; run: {command}", source)])
        elif earlier_runs.is_named(source):
            where = earlier_runs.folder(source, trial.tracking, "backbone.weights")
        else:
            return weights.read(source)
        state = merged(where).model.state_dict()
        return {name.removeprefix("backbone."): t for name, t in state.items() if name.startswith("backbone.")}

    return read


def merged(where: Path, key: str = "backbone.weights") -> Trained:
    """:func:`trained`, what was put into the network folded into its weights; raises :class:`WeightsError`."""
    found = trained(where)
    if found.trial.strategy.peft is not None:
        try:
            adapters.merge(found.model)
        except ConfigError as error:
            reasons = [ConfigIssue(key, problem.message, where.name) for problem in error.problems]
            raise WeightsError(reasons) from error
    return found


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; data order and augmentation have seeds of their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # libraries still draw from it
    torch.manual_seed(seed)
