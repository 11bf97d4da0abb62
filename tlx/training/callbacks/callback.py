"""The contract of a callback: what it is told of, and what it may ask for.

A callback changes nothing by itself. It reads a :class:`~tlx.training.callbacks.context.Context`, and a hook may return
a request. Hooks are called alike under Lightning's Trainer, in the fast loop and, those of validations and rounds,
for heads that are trained side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from tlx.backbones.weights import State
from tlx.training.callbacks.context import Context


@dataclass(frozen=True)
class Stop:
    """End the phase after this round; from ``on_validation`` and ``on_round_end``."""

    reason: str


@dataclass(frozen=True)
class SkipStep:
    """Leave the optimizer step out, and put these buffers back, which its forward pass has changed.

    From ``on_before_step``.
    """

    reason: str
    buffers: State = field(default_factory=dict)


@dataclass(frozen=True)
class SetTrainable:
    """Have these parameters train, and no others, until the phase ends: the rest of it is a fit of its own.

    From ``on_phase_start`` and ``on_round_end``.
    """

    names: frozenset[str]


@dataclass(frozen=True)
class ScaleRates:
    """Multiply the learning rates of these parameters from the next step on; those of others are as planned."""

    factors: Mapping[str, float]


@dataclass(frozen=True)
class SwapWeights:
    """Validate these weights in place of those that train, which are put back afterwards.

    From ``on_validation_start``.
    """

    weights: State


@dataclass(frozen=True)
class Record:
    """Write a row of metrics, at the optimizer steps taken so far."""

    values: Mapping[str, float]


Request = Stop | SkipStep | SetTrainable | ScaleRates | SwapWeights | Record


class Callback:
    """Does nothing at any time; override what is wanted."""

    after: ClassVar[tuple[str, ...]] = ()  # names of callbacks whose hooks are called before this one's

    @property
    def swaps(self) -> frozenset[str]:
        """Names of the parameters that it may ask to be validated with other weights."""
        return frozenset()

    def on_phase_start(self, ctx: Context) -> Request | None:
        """A phase begins; what it trains anew still has its old weights."""

    def on_fit_start(self, ctx: Context) -> Request | None:
        """A stretch of steps with one set of trained parameters begins: a phase is one, or several."""

    def on_batch_start(self, ctx: Context) -> Request | None:
        """Before the forward pass of a batch."""

    def on_before_step(self, ctx: Context) -> Request | None:
        """The gradients are there, and the optimizer is about to step."""

    def on_step(self, ctx: Context) -> Request | None:
        """The optimizer has stepped."""

    def on_validation_start(self, ctx: Context) -> Request | None:
        """A round's steps are over, and it is about to be validated."""

    def on_validation(self, ctx: Context, metrics: Mapping[str, float | None]) -> Request | None:
        """A round was validated; the model has the weights that were."""

    def on_round_end(self, ctx: Context) -> Request | None:
        """After the validation; the model has the weights that train."""

    def on_fit_end(self, ctx: Context) -> Request | None:
        """A fit is over."""

    def on_phase_end(self, ctx: Context) -> Request | None:
        """A phase is over."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors, from which :meth:`load_state_dict` goes on."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from :meth:`state_dict`, with tensors on ``device`` where they are computed with."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
_ANYWHERE = frozenset({ScaleRates, Record})
ALLOWED: Mapping[str, frozenset[type]] = {  # what a hook may return
    **dict.fromkeys(HOOKS, _ANYWHERE),
    "on_phase_start": _ANYWHERE | {SetTrainable},
    "on_before_step": _ANYWHERE | {SkipStep},
    "on_validation_start": _ANYWHERE | {SwapWeights},
    "on_validation": _ANYWHERE | {Stop},
    "on_round_end": _ANYWHERE | {Stop, SetTrainable},
}
