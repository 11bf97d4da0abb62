"""How far a trial is, for the person who waits: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console

from tlx.files.looking import shown_by
from tlx.files.printable import printable
from tlx.reports.bar import bar, is_live
from tlx.reports.look import Look
from tlx.training.progress import Progress

_REDRAWN = 0.1  # seconds


class TrialProgress(Progress):
    """Shows the phase, the step, loss and metrics of the last validation, and the time left.

    Example:
        >>> with TrialProgress(console) as progress:
        ...     train(trial, say, progress=progress)
    """

    period = 30.0  # seconds between lines where there is no terminal

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = is_live(console)
        self.bar = bar(console, transient=True)
        self.task = self.bar.add_task("building", total=None, left="")
        self.began = self.said = self.drawn = time.monotonic()
        self.first: int | None = None  # steps that were taken before: a trial may go on from a saved state
        self.taken = self.total = 0
        self.title = self.seen = ""
        self._looks = ExitStack()  # at the data

    def __enter__(self) -> TrialProgress:
        self.bar.start()
        self._looks.enter_context(shown_by(Look(self.console, self.bar)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looks.close()
        self.bar.stop()

    def phase(self, number: int, count: int, name: str, stop: int, total: int) -> None:
        """Name the phase."""
        self.title, self.total = printable(f"phase {number}/{count} {name}"), total
        self.bar.update(self.task, description=self.title, total=total)

    def step(self, step: int) -> None:
        """Move on."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.began = step, now
        self.taken = step
        if self.live and now - self.drawn > _REDRAWN:
            self.drawn = now
            self.bar.update(self.task, completed=step, left=self._seen())
        elif not self.live and now - self.said > self.period:
            self.said = now
            line = f"step {step}/{self.total}  {self.title}  {self._seen()}".rstrip()
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def metrics(self, values: Mapping[str, float | None]) -> None:
        """Show what was measured; the trial's own line about it counts as one of ours."""
        self.said = time.monotonic()
        names = dict.fromkeys(("train/loss", "val/loss", f"val/{self.metric}"))
        shown = [(name, values[name]) for name in names if name in values]
        self.seen = "  ".join(f"{name} {value:.4g}" for name, value in shown if value is not None) or self.seen
        self.bar.update(self.task, completed=self.taken, left=self._seen())

    def _seen(self) -> str:
        return "  ".join(part for part in (self.seen, self._left()) if part)

    def _left(self) -> str:
        """``~40 s left``, once some steps were timed."""
        done = self.taken - (self.first or 0)
        if done <= 0 or self.total <= self.taken:
            return ""
        return f"~{duration((time.monotonic() - self.began) / done * (self.total - self.taken))} left"


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
