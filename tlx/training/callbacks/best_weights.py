"""The validations worth remembering: the best so far, and the ingredients of a soup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tlx.config.strategy import Strategy
from tlx.runs.metric import Goal, Metric
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context
from tlx.training.checkpoint import whole


@dataclass
class Best:
    """The best validation so far, and the tensors that reached it."""

    value: float | None = None
    values: dict[str, float | None] = field(default_factory=dict)  # every metric of that validation
    state: dict[str, Tensor] | None = None

    def is_reached(self, value: float, goal: Goal) -> bool:
        """Is ``value`` at least as good? (an equal later one wins)"""
        return self.value is None or (value >= self.value if goal == "max" else value <= self.value)


class TopK:
    """The best ``size`` validations, best first; of equals, the later one first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: list[Best] = []

    def offer(self, found: Best, goal: Goal) -> None:
        """Take a validation in if it is among the best."""
        assert found.value is not None
        place = next((i for i, one in enumerate(self.kept) if one.is_reached(found.value, goal)), len(self.kept))
        self.kept = [*self.kept[:place], found, *self.kept[place:]][: self.size]


class BestWeights(Callback):
    """The validations a trial may come back to: the best of the run, the best of the phase, a soup's ingredients."""

    def __init__(self, strategy: Strategy, metric: Metric) -> None:
        """``metric``: what models are chosen by."""
        averaging = strategy.averaging
        self.metric = metric
        self.wanted = strategy.keep == "best" or any(phase.restore == "best" for phase in strategy.phases)
        self.best = Best()
        self.best_of_phase = Best()
        self.top_k = TopK(averaging.size if averaging is not None and "soup" in averaging.kind else 0)

    def on_phase_start(self, ctx: Context) -> None:
        """Forget the best of the phase before. What starts to change now is in what is remembered as it is now."""
        self.best_of_phase = Best()
        begins = sorted((ctx.phase.trainable | ctx.phase.fresh) - ctx.state.trained)
        for kept in (self.best, *self.top_k.kept):
            if kept.state is not None:
                kept.state |= {name: whole(ctx.model.get_parameter(name)) for name in begins}

    def on_validation(self, ctx: Context, metrics: Mapping[str, float | None]) -> None:
        """Take it for the best of the phase, of the run, or for a soup, if it is."""
        value = metrics[self.metric.name]
        if value is None:
            name = f"val/{self.metric.name}"
            message = f"{name} is undefined on this validation set, so no model can be chosen by it: "
            raise RuntimeError(f"{message}choose another task.primary_metric, or cut another val (dataset.val)")
        state = ctx.snapshot() if self.wanted or self.top_k.size else {}
        for name in ("best", "best_of_phase") if self.wanted else ():
            if getattr(self, name).is_reached(value, self.metric.goal):
                setattr(self, name, Best(value, dict(metrics), dict(state)))
        self.top_k.offer(Best(value, dict(metrics), dict(state)), self.metric.goal)

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        best = {"best": vars(self.best), "best_of_phase": vars(self.best_of_phase)}
        return {**best, "ingredients": [vars(one) for one in self.top_k.kept]}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Remember what was remembered, on the CPU."""
        self.best, self.best_of_phase = Best(**state["best"]), Best(**state["best_of_phase"])
        self.top_k.kept = [Best(**one) for one in state["ingredients"]]
