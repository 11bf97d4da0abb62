"""A look at data on the terminal of whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass
class _Begun:
    """What is looked at, since when, and what was shown of it."""

    verb: str
    noun: str
    total: int
    at: float
    drawn: float
    bar: tuple[Progress, TaskID] | None = None
    is_said: bool = False


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
        self._begun: _Begun | None = None

    def begin(self, verb: str, noun: str, total: int) -> None:
        """Remember what is looked at."""
        now = self._clock()
        self._begun = _Begun(verb, noun, total, now, now)

    def step(self, done: int) -> None:
        """Show how many there were, if it is time to; of a look that has not begun there is nothing to show."""
        if (begun := self._begun) is None:
            return
        now = self._clock()
        if not self._live:
            if not begun.is_said and now - begun.at >= self.PLAIN:
                begun.is_said = True
                line = f"{begun.verb} {begun.total:,} {begun.noun} ..."
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        if now - begun.at < self.AFTER or now - begun.drawn < self.REDRAWN:
            return
        begun.drawn = now
        if begun.bar is None:
            begun.bar = self._opened(begun)
        progress, task = begun.bar
        left = (now - begun.at) / done * (begun.total - done)
        progress.update(task, completed=done, left=f"~{left:.0f} s left")

    def end(self) -> None:
        """Take the bar away."""
        begun, self._begun = self._begun, None
        if begun is not None and begun.bar is not None:
            progress, task = begun.bar
            progress.remove_task(task)
            if self._within is None:
                progress.stop()

    def _opened(self, begun: _Begun) -> tuple[Progress, TaskID]:
        progress = self._within
        if progress is None:
            from tlx.reports.bar import bar  # most looks are over before there is one

            progress = bar(self._console, transient=True)
            progress.start()
        return progress, progress.add_task(f"{begun.verb} {begun.noun}", total=begun.total, left="")
