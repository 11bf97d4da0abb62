"""Statistics of BatchNorm under averaged weights, which no step of training has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import nn

from tlx._compat.norms import BatchNorm
from tlx.strategies import freezing

Inputs = TypeVar("Inputs")


def norms_of(model: nn.Module, averaged: frozenset[str], frozen_norm: str = "eval") -> list[BatchNorm]:
    """The norms whose statistics followed the data while these parameters trained.

    Args:
        model: The network, whose modes change.
        averaged: Names of the parameters that were averaged.
        frozen_norm: What norms in frozen stages do.
    """
    asked = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in averaged)
    freezing.set_modes(model, frozen_norm)
    for parameter, requires_grad in asked:
        parameter.requires_grad_(requires_grad)
    return [one for one in model.modules() if isinstance(one, BatchNorm) and one.training and one.track_running_stats]


@torch.no_grad()
def refresh(
    model: nn.Module, norms: Sequence[BatchNorm], batches: Iterable[Inputs], forward: Callable[[Inputs], object]
) -> None:
    """Estimate statistics anew: means over batches that all weigh the same (Izmailov et al. 2018, section 3.3).

    As ``torch.optim.swa_utils.update_bn``, but for dropout and stochastic depth, which are off as they are when the
    network is tested, and for norms that are not named, which stay as they are. Leaves the network in eval mode.

    Args:
        model: The network.
        norms: Those of its norms whose statistics are estimated.
        batches: What it is shown.
        forward: Shows it a batch.
    """
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.train()
    for batch in batches:
        forward(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
