"""Proves after each fit that what was frozen stood still and what trained moved."""

from __future__ import annotations

from collections.abc import Callable

from tlx.strategies import freezing
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context


class FreezeAudit(Callback):
    """Compares checksums of every tensor."""

    def __init__(self, frozen_norm: str, say: Callable[[str], None] = lambda line: None) -> None:
        """``frozen_norm``: the strategy's; with ``train`` the statistics of frozen norms may follow the data.

        ``say`` hears of tensors that have a reason to stand still.
        """
        self._frozen_norm, self._say = frozen_norm, say
        self._before: dict[str, int] = {}

    def on_fit_start(self, ctx: Context) -> None:
        """Take the checksums: here, as sharding has happened by now."""
        self._before = freezing.checksums(ctx.model)

    def on_fit_end(self, ctx: Context) -> None:
        """Raise where a frozen tensor moved, or a trained one did not."""
        waiting = freezing.audit(ctx.model, self._before, self._frozen_norm)
        if waiting:
            count = f"{len(waiting)} trained tensors did not move, first {waiting[0]}"
            self._say(f"audit: {count}: they lie in branches that began at zero, which let no gradient through yet")
