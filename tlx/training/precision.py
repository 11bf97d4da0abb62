"""``hardware.precision``: what a network's own numbers are."""

from __future__ import annotations

import torch
from torch import nn


def floats(precision: str) -> torch.dtype:
    """What a network's own numbers are under ``hardware.precision``."""
    return torch.float64 if precision == "64-true" else torch.float32


def in_floats(network: nn.Module, precision: str) -> nn.Module:
    """The network with parameters and buffers as Lightning makes them before it trains, and as the run holds them."""
    return network.double() if floats(precision) == torch.float64 else network
