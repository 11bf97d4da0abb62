"""Half precision scales the loss, so that small gradients do not vanish: what a look at gradients has to know of it."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Trainer
from torch import nn
from torch.optim import Optimizer

from tlx.strategies.sharded import is_sharded


def carried(trainer: Trainer, optimizer: Optimizer) -> float:
    """The factor that gradients carry when ``optimizer`` is about to step: 1, unless it unscales them itself."""
    scaler: Any = getattr(trainer.precision_plugin, "scaler", None)
    unscales_itself = getattr(optimizer, "_step_supports_amp_scaling", False)
    return float(scaler.get_scale()) if scaler is not None and unscales_itself else 1.0


def is_skipped(trainer: Trainer, model: nn.Module) -> bool:
    """Have gradients overflowed, so that the scaler will leave this step out?"""
    if getattr(trainer.precision_plugin, "scaler", None) is None:
        return False
    return not gradients_are_finite(model)


def gradients_are_finite(model: nn.Module) -> bool:
    """Are all gradients numbers? The device is waited for once, not for each of them, unless they are sharded."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    found = [gradient.isfinite().all() for gradient in gradients]
    if not found or any(is_sharded(one) for one in found):
        return all(bool(one) for one in found)
    return bool(torch.stack(found).all())
