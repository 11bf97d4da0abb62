"""Records a row of metrics for each round, and tells whoever waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlx.tracking.event_log import EventLog
from tlx.training.callbacks.callback import Callback
from tlx.training.callbacks.context import Context
from tlx.training.progress import Progress

_UNSAID = ("optim/", "finetune/")


class MetricRows(Callback):
    """Writes the mean training loss, the validation, the rates, the phase, and how much trains."""

    def __init__(self, events: EventLog, say: Callable[[str], None], progress: Progress) -> None:
        """``events``: where rows are written; ``say`` hears of each; ``progress`` shows them, and steps."""
        self._events, self._say, self._progress = events, say, progress
        # rows that a resumed trial finds in its event log: they are not repeated
        self.recorded: set[tuple[Any, ...]] = set()

    def on_step(self, ctx: Context) -> None:
        """Show it."""
        self._progress.step(ctx.step)

    def on_round_end(self, ctx: Context) -> None:
        """Record it."""
        values: dict[str, float | None] = {"train/loss": ctx.training_loss}
        values |= {f"val/{name}": value for name, value in ctx.state.metrics.items()}
        values |= {f"optim/lr-{name}": rate for name, rate in ctx.rates.items()}
        self.record(ctx, ctx.step, values | phase_metrics(ctx))

    def record(self, ctx: Context, step: int, values: dict[str, float | None]) -> None:
        """Write a row of metrics at an optimizer step; the epoch may be a fraction."""
        if (step, *sorted(values)) in self.recorded:
            return
        self._events.write("metrics", step=step, epoch=round(step / ctx.steps_per_epoch, 4), values=values)
        self._progress.metrics(values)
        shown = [
            f"{name} {value:.4g}"
            for name, value in values.items()
            if value is not None and not name.startswith(_UNSAID)
        ]
        if shown:
            self._say(f"step {step}/{ctx.state.total}  {'  '.join(shown)}")


def phase_metrics(ctx: Context) -> dict[str, float | None]:
    """Which phase this is and how much trains, as metrics."""
    return {"finetune/phase": float(ctx.phase.number + 1), "finetune/trainable_params": float(ctx.count)}
