"""Callbacks that keep the contract, and such that break it, each in one way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tlx.config.fields import option
from tlx.training.callbacks.callback import (
    Callback,
    Record,
    Request,
    ScaleRates,
    SetTrainable,
    SkipStep,
    Stop,
    SwapWeights,
)
from tlx.training.callbacks.context import Context


@dataclass
class Options:
    """Of a callback of ours."""

    rounds: int = option(2, "how many")


@dataclass
class Unsaid:
    """Of one whose option says nothing."""

    rounds: int = 2


class Own(Callback):
    """Takes the options."""

    def __init__(self, options: Options) -> None:
        self.options = options


class Patience(Own):
    """Ends a phase after some rounds, and counts them over an interruption."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.seen = 0

    def on_validation(self, ctx: Context, metrics: Mapping[str, float | None]) -> Request | None:
        self.seen += 1
        return Stop("enough") if self.seen >= self.options.rounds else None

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self.seen = state["seen"]


class Forgetful(Patience):
    """Says that it is resumable, and saves nothing."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self.seen = 0


class Thaw(Own):
    """Has everything but the head rest after the first round, and halves the head's rate."""

    def on_round_end(self, ctx: Context) -> Request | None:
        head = frozenset({"head.weight", "head.bias"})
        if ctx.state.rounds == 1:
            return SetTrainable(head)
        return ScaleRates(dict.fromkeys(head, 0.5)) if ctx.state.rounds == 2 else None


class Odd(Own):
    """Skips every second step, and validates zeros."""

    def on_before_step(self, ctx: Context) -> Request | None:
        return SkipStep("odd") if ctx.step % 2 else None

    def on_validation_start(self, ctx: Context) -> Request | None:
        return SwapWeights({name: torch.zeros_like(tensor) for name, tensor in ctx.model.named_parameters()})


class Meddler(Own):
    """Changes weights by itself."""

    def on_step(self, ctx: Context) -> None:
        with torch.no_grad():
            next(ctx.model.parameters()).mul_(0.5)


class Gambler(Own):
    """Draws from the numbers that training draws from."""

    def on_round_end(self, ctx: Context) -> Request | None:
        return Record({"chance": float(torch.rand(()))})


class Sleeper(Own):
    """Leaves the network in eval mode."""

    def on_batch_start(self, ctx: Context) -> None:
        ctx.model.eval()


class Hoarder(Own):
    """Saves what is no plain value."""

    def state_dict(self) -> dict[str, Any]:
        return {"where": Path("nowhere")}


class Impatient(Own):
    """Asks for what this hook is not granted."""

    def on_step(self, ctx: Context) -> Request | None:
        return Stop("now")


class Stray(Own):
    """Has what the phase does not train train on."""

    def on_round_end(self, ctx: Context) -> Request | None:
        return SetTrainable(frozenset({"head.weight", "backbone.conv1.weight"}))


class Nobody(Own):
    """Has nothing train on."""

    def on_round_end(self, ctx: Context) -> Request | None:
        return SetTrainable(frozenset())


class Partial(Own):
    """Scales one of the tensors that share a rate."""

    def on_round_end(self, ctx: Context) -> Request | None:
        return ScaleRates({"backbone.bn1.weight": 0.5})
