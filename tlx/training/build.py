"""The parts of a trial, in order: data -> backbone -> task head -> stages -> phases -> module."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from tlx.backbones.backbone import Backbone
from tlx.backbones.partition.stages import Stage, digest
from tlx.components.parts import parts_without
from tlx.config.errors import ConfigIssue, WeightsError
from tlx.config.schema import Trial
from tlx.data.module import Data
from tlx.feature_cache.image_maps import ImageMaps
from tlx.feature_cache.prefix_cache import PrefixCache, store
from tlx.runs.trained_content import content_if_finished
from tlx.strategies import freezing, optimizers, stopping
from tlx.strategies.phases import PhasePlan, plan
from tlx.strategies.rates import rates
from tlx.tasks.check import check, check_validation
from tlx.tasks.load import load as load_task
from tlx.tasks.network import specs
from tlx.tasks.protocol import Task
from tlx.training import rebuild, whole_model
from tlx.training.checkpoint import origin
from tlx.training.locate import source_of
from tlx.training.machine import Machine, choose_machine
from tlx.training.module import TrialModule
from tlx.training.network import after_backbone, fresh, network, trained
from tlx.training.precision import check_device, check_features_precision, in_floats, set_features_precision


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
    origin: str  # of the model before training: what a saved state belongs to
    notes: list[str] = field(default_factory=list)  # on the model that training begins from
    weights_content: str = ""  # of the earlier trial that it begins from, as it was read; empty without one


def build(trial: Trial) -> TrialComponents:
    """Build a trial; raises :class:`~tlx.config.errors.RequestError` for data or weights that cannot be used."""
    machine = choose_machine(trial.hardware)
    check_device(trial, machine.accelerator)
    data = Data(
        trial.dataset,
        seed=trial.seed,
        batch_size=trial.strategy.batch_size,
        workers=machine.workers,
        pinned=machine.accelerator == "gpu",
        memory=int(trial.hardware.image_memory * 2**30),
        order_seed=trial.seed_of_order,
        share=ImageMaps(store(trial.reuse)) if trial.reuse.when != "off" else None,
    )
    notes = whole_model.check(trial, data.schema)
    source = source_of(trial)
    content = content_if_finished(source.path) if source is not None else None
    pretrained = trial.strategy.init != "scratch"
    task, backbone, model, cut = network(trial, data.schema, pretrained=pretrained)
    while data.leave_out(specs(model)):  # what is left of train says what the network expects
        task, backbone, model, cut = network(trial, data.schema, pretrained=pretrained)
    if source is not None and content_if_finished(source.path) != content:
        message = "was trained anew while its weights were read; run the same command again"
        raise WeightsError([ConfigIssue("backbone.weights", message, trial.backbone.weights)])
    check(trial, task, backbone)
    data.prepare(specs(model), trial.reuse.views)
    task.fit(data.examples["train"].targets)
    check_validation(task, data.examples["val"].targets)
    epochs = data.epochs(machine.world, trial.hardware.accumulate)
    phases = plan(trial.strategy, cut, epochs.steps_per_epoch, trial.seed_of_init)
    check_features_precision(trial, phases)
    optimizers.check(trial.strategy.optimizer)
    stopping.check(trial.strategy, task.metric_info)
    title = trial.backbone.alias or trial.backbone.name
    prefix = PrefixCache(trial.reuse, model, backbone, data, *_obstacles(trial, machine, task), title)
    module = TrialModule(trial.strategy, task, model, cut, phases, data, epochs, prefix, trial.hardware.accumulate)
    module.reinit_state = fresh(trial, data.schema, phases)
    table = rates(trial.strategy, cut, phases)
    begun = origin(digest(cut), freezing.checksums(model))
    return TrialComponents(machine, data, backbone, cut, phases, table, module, begun, notes, content or "")


def build_sibling(first: TrialComponents, trial: Trial) -> TrialComponents:
    """A trial that differs from the ``first`` one's in seed and head alone, built on its data and its backbone."""
    data = first.data.reseeded(trial.seed, trial.seed_of_order)
    torch.set_rng_state(after_backbone(trial, data.schema))
    task = load_task(trial.task, data.schema)
    model = task.build(first.backbone, data.schema)
    set_features_precision(trial, model)
    cut = [replace(stage, model=model) for stage in first.stages]
    task.fit(data.examples["train"].targets)
    epochs = data.epochs(first.machine.world, trial.hardware.accumulate)
    phases = plan(trial.strategy, cut, epochs.steps_per_epoch, trial.seed_of_init)
    stopping.check(trial.strategy, task.metric_info)
    module = TrialModule(trial.strategy, task, model, cut, phases, data, epochs, first.module.prefix)
    table = rates(trial.strategy, cut, phases)
    content = first.weights_content
    return TrialComponents(
        first.machine, data, first.backbone, cut, phases, table, module, origin="", weights_content=content
    )


def rebuilt(where: Path) -> TrialComponents:
    """A finished trial on its data, with its trained weights and in eval mode.

    Raises:
        WeightsError: They do not belong to it.
    """
    found = trained(where)
    built = build(found.trial)
    in_floats(built.module.model, found.trial.hardware.precision)
    rebuild.fill(built.module.model, rebuild.parameters_and_buffers(found.model))
    built.module.eval()
    return built


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
    elif trial.dataset.mix != "none":
        nothing = "the images of a batch are mixed"
    elif task.form != "vector":
        nothing = f"task={trial.task.kind} reads more of the backbone than one vector for each example"
    inner = "the network is compiled" if hardware.compile else ""
    return nothing, inner or ("gradient checkpointing runs stages twice" if hardware.gradient_checkpointing else "")
