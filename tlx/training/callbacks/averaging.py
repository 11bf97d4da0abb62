"""Weights averaged over a run, and where the line of WiSE-FT begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tlx.backbones.weights import State
from tlx.strategies.averaging import Running
from tlx.training.callbacks.callback import Callback, SwapWeights
from tlx.training.callbacks.context import Context
from tlx.training.checkpoint import tensors


class RunningMean(Callback):
    """Keeps a running mean of the weights that train."""

    def __init__(self, decay: float | None) -> None:
        """``decay``: of an exponential mean; None for a plain one."""
        self.running = Running(decay)

    @property
    def swaps(self) -> frozenset[str]:
        """Whatever there is a mean of."""
        return frozenset(self.running.mean)

    def state_dict(self) -> dict[str, Any]:
        """The means, and how many values each is of."""
        return self.running.state()

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on, on the device that trains."""
        self.running.load(state, device)


class ExponentialMean(RunningMean):
    """Takes the weights in at every optimizer step; while training, the mean is what is validated."""

    def on_step(self, ctx: Context) -> None:
        """Take them in."""
        self.running.update(ctx.model)

    def on_validation_start(self, ctx: Context) -> SwapWeights:
        """Have the mean validated."""
        return SwapWeights(self.running.mean)


class StochasticWeightAverage(RunningMean):
    """Takes the weights in after every round from an optimizer step on (Izmailov et al. 2018)."""

    def __init__(self, start: int) -> None:
        """``start``: the optimizer step."""
        super().__init__(None)
        self._start = start

    def on_round_end(self, ctx: Context) -> None:
        """Take them in, if it is time."""
        if ctx.step >= self._start:
            self.running.update(ctx.model)


class WiseFTStart(Callback):
    """Keeps the weights that the last phase begins with: there the line of WiSE-FT begins (Wortsman et al. 2022)."""

    def __init__(self) -> None:
        self.weights: State | None = None

    def on_fit_start(self, ctx: Context) -> None:
        """Keep them, once."""
        if ctx.is_last_phase and self.weights is None:
            self.weights = tensors(ctx.model, ctx.state.trained)

    def state_dict(self) -> dict[str, Any]:
        """The weights."""
        return {"weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Keep them on the CPU."""
        self.weights = state["weights"]
