"""A look at data on the terminal of whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Look:
    """Shows a look that takes longer: on a terminal a bar, which is gone when it is over; elsewhere one line.

    Example:
        >>> with shown_by(Look(Terminal(stderr=True))):
        ...     read(config)
    """

    AFTER = 2.0  # seconds until there is a bar
    REDRAWN = 0.2  # seconds
    PLAIN = 10.0  # seconds until there is a line where no bar can move

    def __init__(
        self, console: Console, within: Progress | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``within``: a bar that is shown there already, which gets a line more."""
        self._console, self._within, self._clock = console, within, clock
        self._live = console.is_terminal or console.is_jupyter
        self._bar: tuple[Progress, TaskID] | None = None

    def begin(self, verb: str, noun: str, total: int) -> None:
        """Remember what is looked at."""
        self._verb, self._noun, self._total = verb, noun, total
        self._began = self._drawn = self._clock()
        self._said = False

    def step(self, done: int) -> None:
        """Show how many there were, if it is time to."""
        now = self._clock()
        if not self._live:
            if not self._said and now - self._began >= self.PLAIN:
                self._said = True
                line = f"{self._verb} {self._total:,} {self._noun} ..."
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        if now - self._began < self.AFTER or now - self._drawn < self.REDRAWN:
            return
        self._drawn = now
        if self._bar is None:
            self._bar = self._opened()
        progress, task = self._bar
        left = (now - self._began) / done * (self._total - done)
        progress.update(task, completed=done, left=f"~{left:.0f} s left")

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            progress, task = self._bar
            progress.remove_task(task)
            if self._within is None:
                progress.stop()
            self._bar = None

    def _opened(self) -> tuple[Progress, TaskID]:
        progress = self._within
        if progress is None:
            from tlx.reports.bar import bar  # most looks are over before there is one

            progress = bar(self._console, transient=True)
            progress.start()
        return progress, progress.add_task(f"{self._verb} {self._noun}", total=self._total, left="")
