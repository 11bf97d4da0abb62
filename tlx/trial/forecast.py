"""What a trial would do and cost, from shapes alone: everything is built on the meta device, nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from tlx.backbones.load import Loaded, load
from tlx.backbones.options import TransformersBackbone
from tlx.backbones.spec import ImageSpec
from tlx.backbones.stages import Stage, stages
from tlx.config.schema import Trial
from tlx.data.module import read
from tlx.data.options import Hub
from tlx.data.order import Epochs
from tlx.data.source import DataInfo
from tlx.data.splits import assign
from tlx.strategies import freezing
from tlx.strategies.groups import parameter_groups
from tlx.strategies.phases import PhasePlan, budget_steps, plan
from tlx.tasks.build import build as build_task

_TOKENS = 128  # length of a text, for the estimate
_PROBE = 2  # examples pushed through the network; costs are scaled to the batch


@dataclass(frozen=True)
class PhaseForecast:
    """One phase: what trains, its full learning rates, when it ends, and the cost of one of its steps."""

    plan: PhasePlan
    start: int
    stop: int
    trained: int
    lr_head: float | None
    lr_backbone: float | None
    forward: float  # FLOPs of one step
    backward: float
    memory: float  # bytes: weights, gradients, optimizer state and saved activations


@dataclass(frozen=True)
class Forecast:
    """A trial on paper."""

    info: DataInfo
    stages: list[Stage]
    phases: list[PhaseForecast]
    steps_per_epoch: int
    parameters: int


def forecast(trial: Trial) -> Forecast:
    """Plan a trial; raises :class:`~tlx.config.errors.RequestError`. A hub data set is not fetched: 1000 examples
    of 10 classes are assumed, and ``info.n_train`` is 0.
    """
    info = _info(trial)
    with torch.device("meta"):
        backbone = _backbone(trial, info)
        task = build_task(trial.task, info)
        model = task.build(backbone, info)
        cut = stages(model)
    count = info.n_train or 1000
    epochs = Epochs(count, trial.strategy.batch_size, trial.seed)
    total = budget_steps(trial.strategy, epochs.steps_per_epoch)
    forecasts, start = [], 0
    for phase in plan(trial.strategy, cut, epochs.steps_per_epoch):
        stop = start + phase.length(start, total)
        forecasts.append(_phase(trial, phase, model, cut, backbone, start, stop, min(count, trial.strategy.batch_size)))
        start = stop
    return Forecast(info, cut, forecasts, epochs.steps_per_epoch, sum(p.numel() for p in model.parameters()))


def _info(trial: Trial) -> DataInfo:
    if isinstance(trial.dataset, Hub):
        names = tuple(str(i) for i in range(10))
        return DataInfo(trial.dataset.modality, names, 3, n_train=0, n_val=0, n_test=0)
    source = read(trial.dataset)
    splits = assign(source, trial.dataset, trial.seed)
    counts = {f"n_{name}": len(indices) for name, indices in splits.items()}
    return DataInfo(source.modality, tuple(source.classes), source.channels, multilabel=source.multilabel, **counts)


def _backbone(trial: Trial, info: DataInfo) -> Loaded:
    if isinstance(trial.backbone, TransformersBackbone):
        from tlx.backbones.transformers_texts import outline

        return outline(trial.backbone, trial.backbone.max_length or _TOKENS)
    return load(trial.backbone, channels=info.channels, pretrained=False)


def _phase(
    trial: Trial,
    phase: PhasePlan,
    model: nn.Module,
    cut: list[Stage],
    backbone: Loaded,
    start: int,
    stop: int,
    batch: int,
) -> PhaseForecast:
    freezing.freeze(model, phase.trainable, trial.strategy.frozen_norm)
    forward, backward, saved = _cost(model, backbone)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    states = {"adamw": 2, "adam": 2, "sgd": 1 if trial.strategy.optimizer.momentum else 0, "rmsprop": 1}
    held = total + trained * (1 + states[trial.strategy.optimizer.name])
    scale = batch / _PROBE
    rates = _rates(trial, phase, cut)
    return PhaseForecast(
        plan=phase,
        start=start,
        stop=stop,
        trained=trained,
        lr_head=rates.get("head"),
        lr_backbone=rates.get("backbone"),
        forward=forward * scale,
        backward=backward * scale,
        memory=4.0 * held + saved * scale,
    )


def _rates(trial: Trial, phase: PhasePlan, cut: list[Stage]) -> dict[str, float]:
    if phase.options.solver != "gradient":
        return {}
    training = {stage.name for stage in cut if set(stage.names) & phase.trainable}
    rates = {}
    for group in parameter_groups(trial.strategy, cut):
        stage = group["name"].rsplit("/", 1)[0]
        if stage in training:
            rates["head" if stage == "head" else "backbone"] = group["base_lr"] * phase.options.lr_scale
    return rates


def _cost(model: nn.Module, backbone: Loaded) -> tuple[float, float, float]:
    """FLOPs forward and backward, and bytes saved for backward, of ``_PROBE`` examples."""
    saved: dict[int, int] = {}
    own = {p.untyped_storage()._cdata for p in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    # fake tensors, as transformers looks into a mask unless it knows there are no values in it
    fake, hooks = FakeTensorMode(allow_non_fake_inputs=True), torch.autograd.graph.saved_tensors_hooks
    with fake, torch.device("meta"), hooks(keep, lambda tensor: tensor):
        with FlopCounterMode(display=False) as forward:
            logits = model(_example(backbone))
        with FlopCounterMode(display=False) as backward:
            logits.sum().backward()
    model.zero_grad(set_to_none=True)
    return float(forward.get_total_flops()), float(backward.get_total_flops()), float(sum(saved.values()))


def _example(backbone: Loaded) -> dict[str, Any]:
    spec = backbone.spec
    if isinstance(spec, ImageSpec):
        return {"x": torch.empty(_PROBE, spec.channels, spec.height, spec.width)}
    ids = torch.zeros(_PROBE, spec.max_length, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
