"""Half precision scales the loss, so that small gradients do not vanish: what a look at gradients has to know of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import nn
from torch.optim import Optimizer


def carried(trainer: Trainer, optimizer: Optimizer) -> float:
    """The factor that gradients carry when ``optimizer`` is about to step: 1, unless it unscales them itself."""
    scaler: Any = getattr(trainer.precision_plugin, "scaler", None)
    unscales_itself = getattr(optimizer, "_step_supports_amp_scaling", False)
    return float(scaler.get_scale()) if scaler is not None and unscales_itself else 1.0


def is_skipped(trainer: Trainer, model: nn.Module) -> bool:
    """Have gradients overflowed, so that the scaler will leave this step out?"""
    if getattr(trainer.precision_plugin, "scaler", None) is None:
        return False
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return not math.isfinite(sum(float(gradient.abs().sum(dtype=torch.float64)) for gradient in gradients))
