"""How far a sweep is: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tlx.files.printable import printable


class SweepProgress:
    """Counts trials; the time left is estimated from the work done so far."""

    _PLAIN_PERIOD = 10.0  # seconds between plain lines

    def __init__(self, console: Console, title: str, total: int) -> None:
        self.console = console
        self.title = title
        self.total = total
        self.done = 0
        self.otherwise: Counter[str] = Counter()  # how those ended that have no result
        self.began = self.said = time.monotonic()
        self.live = console.is_terminal
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not self.live,
        )
        self.task = self.bar.add_task(title, total=total, left="importing")

    def __enter__(self) -> SweepProgress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        if not self.live:
            self._line()

    def add(self, count: int) -> None:
        """More trials have become known."""
        self.total += count
        self.bar.update(self.task, total=self.total)

    def started(self, name: str) -> None:
        """A trial begins."""
        self.bar.update(self.task, description=printable(f"{self.title}: {name}"))

    def ended(self, how: str) -> None:
        """A trial is over: with a result (empty), or ``failed`` or ``pruned``."""
        self.done += 1
        self.otherwise.update([how] if how else [])
        self.bar.update(self.task, completed=self.done, left=self.left())
        if not self.live and time.monotonic() - self.said > self._PLAIN_PERIOD:
            self._line()

    def tick(self) -> None:
        """Called several times a second while trials run."""
        if not self.live and time.monotonic() - self.said > self._PLAIN_PERIOD:
            self._line()

    def left(self) -> str:
        """``~40 s left``, once there is something to estimate it from."""
        if not 0 < self.done < self.total:
            return ""
        seconds = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        return f"~{seconds:.0f} s left"

    def _line(self) -> None:
        self.said = time.monotonic()
        otherwise = "".join(f", {count} {how}" for how, count in sorted(self.otherwise.items()))
        elapsed = f"{self.said - self.began:.0f} s"
        parts = [f"{self.title}: {self.done}/{self.total} trials{otherwise}", elapsed, self.left()]
        self.console.print("  ".join(part for part in parts if part), highlight=False, markup=False)
