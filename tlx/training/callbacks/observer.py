"""Shows each validated round to somebody who may end the trial, as pruning does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context

OnValidation = Callable[[int, Mapping[str, float | None]], None]


class Observer(Callback):
    """Calls a function with the number of rounds and the metrics of the last one; it may raise."""

    def __init__(self, on_validation: OnValidation) -> None:
        self._on_validation = on_validation

    def on_round_end(self, ctx: Context) -> None:
        """Show it."""
        self._on_validation(ctx.state.rounds, ctx.state.metrics)
