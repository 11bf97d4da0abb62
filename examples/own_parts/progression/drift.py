"""A callback that shows what freezing does: how far has each stage moved?"""

from collections.abc import Mapping
from typing import Any

import torch

from progression.parts import Drift
from tlx.training.callbacks.callback import Callback, Record
from tlx.training.callbacks.context import Context


class Drifts(Callback):
    """Remembers the weights that the trial begins with, and measures from there."""

    def __init__(self, options: Drift) -> None:
        self.every, self.looks = options.every, 0
        self.start: dict[str, torch.Tensor] = {}

    def on_fit_start(self, ctx: Context) -> None:
        """Of the first fit: remember the weights."""
        if not self.start:
            self.start = {name: one.detach().clone() for name, one in ctx.model.named_parameters()}

    def on_round_end(self, ctx: Context) -> Record | None:
        """Record ``drift/<stage>``: 0 for a stage that is frozen."""
        self.looks += 1
        if self.looks % self.every:
            return None
        now = dict(ctx.model.named_parameters())
        moved = {}
        for stage in ctx.stages:
            names = [name for name, one in now.items() if any(one is other for other in stage.parameters())]
            far = sum(float((now[name].detach() - self.start[name]).pow(2).sum()) for name in names)
            whole = sum(float(self.start[name].pow(2).sum()) for name in names)
            moved[f"drift/{stage.name}"] = (far / whole) ** 0.5 if whole else 0.0
        return Record(moved)

    def state_dict(self) -> dict[str, Any]:
        """What an interrupted trial goes on with."""
        return {"looks": self.looks, "start": self.start}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from there."""
        self.looks, self.start = state["looks"], {name: one.to(device) for name, one in state["start"].items()}
