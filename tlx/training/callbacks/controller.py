"""Lets a strategy's controller look at steps and rounds, and asks for what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device

from tlx.strategies.controllers import Controller
from tlx.training.callbacks.callback import Callback, ScaleRates, SetTrainable
from tlx.training.callbacks.context import Context


class ControllerCallback(Callback):
    """Freezes what the controller has settled, and scales rates as it says."""

    after: ClassVar[tuple[str, ...]] = ("nan_skip", "metric_rows", "averaging")

    def __init__(self, controller: Controller, interval: int) -> None:
        """``interval``: optimizer steps between decisions."""
        self._controller, self._interval = controller, interval
        self._factors: Mapping[str, float] = {}

    def on_phase_start(self, ctx: Context) -> SetTrainable | None:
        """What is settled stays so in the next phase."""
        return self._trainable(ctx) if self._controller.settled else None

    def on_before_step(self, ctx: Context) -> ScaleRates | None:
        """Look at the gradients, unless they have overflowed."""
        if not ctx.is_overflown():
            self._controller.observe(ctx.model, ctx.gradient_scale())
        return self._rates()

    def on_round_end(self, ctx: Context) -> SetTrainable | ScaleRates | None:
        """Decide, when it is time."""
        if not self._controller.is_due(ctx.step, self._interval):
            return None
        assert ctx.batch is not None  # a round has steps
        before = self._controller.settled
        settled = self._controller.decide(ctx.model, ctx.batch, ctx.factor(ctx.step - 1))
        return self._trainable(ctx) if settled != before else self._rates()

    def state_dict(self) -> dict[str, Any]:
        """The controller's."""
        return self._controller.state()

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with it, on the device that trains."""
        self._controller.load(move_data_to_device(dict(state), device))
        self._factors = self._controller.factors

    def _trainable(self, ctx: Context) -> SetTrainable:
        """The phase's set, less what is settled, if that leaves something."""
        return SetTrainable(ctx.phase.trainable - self._controller.settled or ctx.phase.trainable)

    def _rates(self) -> ScaleRates | None:
        if self._controller.factors == self._factors:
            return None
        self._factors = dict(self._controller.factors)
        return ScaleRates(self._factors)
