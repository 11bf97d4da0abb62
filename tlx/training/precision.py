"""``hardware.precision``: what a network's own numbers are; ``reuse.precision``: what a frozen backbone computes in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.strategies.phases import PhasePlan
from tlx.tasks.network import Network

_KEY = "reuse.precision"
_FEATURES = {"bf16": torch.bfloat16}


def floats(precision: str) -> torch.dtype:
    """What a network's own numbers are under ``hardware.precision``."""
    return torch.float64 if precision == "64-true" else torch.float32


def in_floats(network: nn.Module, precision: str) -> nn.Module:
    """The network with parameters and buffers as Lightning makes them before it trains, and as the run holds them."""
    return network.double() if floats(precision) == torch.float64 else network


def set_features_precision(trial: Trial, model: nn.Module) -> None:
    """Have a frozen backbone compute as ``reuse.precision`` says.

    Raises:
        ConfigError: The network has no features apart from its head, or nothing to compute them with.
    """
    asked = trial.reuse.precision
    if asked is None:
        return
    problem = ""
    if not isinstance(model, Network):
        problem = f"task={trial.task.kind} reads more of the backbone than one vector for each example; leave it out"
    elif not any(True for _ in model.backbone.parameters()):
        problem = "this backbone hands on its inputs and computes nothing; leave it out"
    if problem:
        raise ConfigError([ConfigIssue(_KEY, problem, asked)])
    assert isinstance(model, Network)
    model.features_dtype = _FEATURES[asked]


def check_features_precision(trial: Trial, phases: Sequence[PhasePlan]) -> None:
    """See that nothing trains the backbone whose arithmetic ``reuse.precision`` sets.

    Raises:
        ConfigError: A phase trains some of it, or statistics of its norms follow the data.
    """
    if (asked := trial.reuse.precision) is None:
        return
    for i, phase in enumerate(phases):
        if trained := sorted(name for name in phase.trainable | phase.fresh if name.startswith("backbone.")):
            message = (
                f"is for frozen backbones; strategy.phases.{i} trains {len(trained)} of its tensors, first "
                f"{trained[0]}; train the head alone, or use hardware.precision=bf16-mixed"
            )
            raise ConfigError([ConfigIssue(_KEY, message, asked)])
    if trial.strategy.frozen_norm == "train":
        message = "is for frozen backbones; strategy.frozen_norm=train has its norms follow the data; set it to eval"
        raise ConfigError([ConfigIssue(_KEY, message, asked)])


def check_device(trial: Trial, kind: str) -> None:
    """See that a kind of device (``cpu``, ``gpu``, ``mps``) computes what ``reuse.precision`` says.

    Raises:
        ConfigError: It does not.
    """
    if trial.reuse.precision is None or kind == "cpu":
        return
    able = torch.cuda.is_bf16_supported(including_emulation=False) if kind == "gpu" else False
    if not able:
        message = f"this {kind} has no bf16; leave it out, or use hardware=cpu"
        raise ConfigError([ConfigIssue(_KEY, message, trial.reuse.precision)])
