"""Proves after each fit that what was frozen stood still and what trained moved."""

from __future__ import annotations

from tlx.strategies import freezing
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context


class FreezeAudit(Callback):
    """Compares checksums of every tensor."""

    def __init__(self, frozen_norm: str) -> None:
        """``frozen_norm``: the strategy's; with ``train`` the statistics of frozen norms may follow the data."""
        self._frozen_norm = frozen_norm
        self._before: dict[str, int] = {}

    def on_fit_start(self, ctx: Context) -> None:
        """Take the checksums: here, as sharding has happened by now."""
        self._before = freezing.checksums(ctx.model)

    def on_fit_end(self, ctx: Context) -> None:
        """Raise where a frozen tensor moved, or a trained one did not."""
        freezing.audit(ctx.model, self._before, self._frozen_norm)
