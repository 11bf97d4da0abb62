"""Ends a phase before its time, by its plateau or threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from tlx.runs.metric import Metric
from tlx.strategies.phases import PhasePlan
from tlx.strategies.stopping import Stopper, stoppers
from tlx.training.callbacks.callback import Callback, Stop
from tlx.training.callbacks.context import Context


class EarlyStopping(Callback):
    """Judges the metrics that the phase names, each after every validation."""

    def __init__(self, phases: Sequence[PhasePlan], metrics: Mapping[str, Metric], primary: str) -> None:
        """``metrics``: of the task; ``primary`` is watched where a phase names none."""
        self._phases, self._metrics, self._primary = phases, metrics, primary
        self._number = 0
        self._stoppers: list[Stopper] = []

    def on_phase_start(self, ctx: Context) -> None:
        """Begin with the phase's own."""
        self._enter(ctx.phase.number)

    def on_validation(self, ctx: Context, metrics: Mapping[str, float | None]) -> Stop | None:
        """Look at a validation; is the phase over?"""
        over = [stopper.name for stopper in self._stoppers if stopper.is_over(metrics)]  # each has to see each
        return Stop(f"val/{', val/'.join(over)}") if over else None

    def state_dict(self) -> dict[str, Any]:
        """Of each, in which phase."""
        return {"phase": self._number, "stoppers": [stopper.state() for stopper in self._stoppers]}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on in the middle of a phase."""
        self._enter(state["phase"])
        for stopper, saved in zip(self._stoppers, state["stoppers"], strict=True):
            stopper.load(saved)

    def _enter(self, number: int) -> None:
        self._number = number
        self._stoppers = stoppers(self._phases[number].options, self._metrics, self._primary)
