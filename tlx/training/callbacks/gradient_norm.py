"""Records how large gradients are, stage by stage: what vanishes or explodes is seen there first."""

from __future__ import annotations

import torch

from tlx.config import callbacks
from tlx.training.callbacks.callback import Callback, Record
from tlx.training.callbacks.context import Context


class GradientNorm(Callback):
    """Looks before every ``every``-th optimizer step, the first included."""

    def __init__(self, options: callbacks.GradientNorm) -> None:
        self._every = options.every

    def on_before_step(self, ctx: Context) -> Record | None:
        """Record the Euclidean norm of each stage's gradient, of the stages that train; before any clipping."""
        if ctx.step % self._every:
            return None
        found = {}
        for stage in ctx.stages:
            norms = [parameter.grad.norm() for parameter in stage.parameters() if parameter.grad is not None]
            if norms:
                found[f"grad_norm/{stage.name}"] = torch.stack(norms).norm()
        scale = ctx.gradient_scale() if found else 1.0  # whoever asks waits for the device: for all stages at once
        return Record({name: float(norm) / scale for name, norm in found.items()})
