"""How far a sweep is: a live bar on a terminal, with a line for each running trial; plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import TaskID

from tlx.files.printable import printable
from tlx.reports.bar import bar, is_live
from tlx.runs.metric import Metric, metric_in
from tlx.runs.result import Result
from tlx.tracking import event_log


@dataclass
class _Running:
    """A trial that is being run."""

    name: str
    folder: Path
    task: TaskID
    metric: Metric | None = None  # what its models are compared by, once its event log says so
    began: float = field(default_factory=lambda: time.time())  # of this module's clock
    step: int = 0
    total: int = 0
    score: str = ""

    @property
    def share(self) -> float:
        """Of its steps, those that are done."""
        return min(1.0, self.step / self.total) if self.total else 0.0


class SweepProgress:
    """Counts trials, shows the running ones with their step, and the best so far.

    The time left is estimated from the work done so far, of which trials that are partly run are a part. Trials run in
    processes of their own: how far they are is read from the ends of their event logs.
    """

    _PLAIN_PERIOD = 10.0  # seconds between plain lines
    _LOOK = 1.0  # seconds between looks at the running trials
    _LINES = 8  # running trials that have a line

    def __init__(self, console: Console, title: str, total: int) -> None:
        self.console = console
        self.title = title
        self.total = total
        self.done = 0
        self.otherwise: Counter[str] = Counter()  # how those ended that have no result
        self.running: dict[str, _Running] = {}  # by identity
        self.best: tuple[float, str] | None = None  # the score, the larger the better, and how it reads
        self.began = self.said = self.looked = time.monotonic()
        self.live = is_live(console)
        self.bar = bar(console)
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

    def started(self, identity: str, name: str, folder: Path) -> None:
        """A trial begins."""
        shown = len(self.running) < self._LINES
        task = self.bar.add_task(f"  {printable(name)}", total=None, left="", visible=shown)
        self.running[identity] = _Running(name, folder, task)
        self.bar.update(self.task, left=self.left())

    def ended(self, identity: str, how: str, result: Result | None) -> None:
        """A trial is over: with a result (``how`` is empty), or ``failed`` or ``pruned``."""
        self.done += 1
        self.otherwise.update([how] if how else [])
        if (one := self.running.pop(identity, None)) is not None:
            self.bar.remove_task(one.task)
            if result is not None:
                self._better(_score(result.metrics, result.primary), one.name)
        self.bar.update(self.task, completed=self.done, left=self._seen())
        self._line_if_due()

    def tick(self) -> None:
        """Called several times a second while trials run."""
        if time.monotonic() - self.looked > self._LOOK:
            self.looked = time.monotonic()
            for one in self.running.values():
                self._look(one)
            self.bar.update(self.task, left=self._seen())
        self._line_if_due()

    def left(self) -> str:
        """``~40 s left``, once there is something to estimate it from."""
        done = self.done + sum(one.share for one in self.running.values())
        if not 0 < done < self.total:
            return ""
        seconds = (time.monotonic() - self.began) / done * (self.total - done)
        return f"~{seconds:.0f} s left"

    def _look(self, one: _Running) -> None:
        """Read how far a trial is; the rows of an attempt before this one do not count."""
        phase, row = event_log.last(one.folder, "phase"), event_log.last(one.folder, "metrics")
        one.total = int(phase.get("total", 0) or 0) or one.total
        if not phase or row.get("time", 0) < int(1000 * one.began):  # rows have whole milliseconds
            return
        one.step = max(one.step, int(row["step"]))
        one.metric = one.metric or metric_in(event_log.first(one.folder).get("metric"))
        score = _score(row["values"], one.metric)
        one.score = score[1] if score is not None else one.score
        self._better(score, one.name)
        self.bar.update(one.task, completed=one.step, total=one.total or None, left=one.score)

    def _better(self, score: tuple[float, str] | None, name: str) -> None:
        if score is not None and (self.best is None or score[0] > self.best[0]):
            self.best = score[0], f"best {score[1]} ({name})"

    def _seen(self) -> str:
        best = printable(self.best[1]) if self.best is not None else ""
        return "  ".join(part for part in (self.left(), best) if part)

    def _line_if_due(self) -> None:
        if not self.live and time.monotonic() - self.said > self._PLAIN_PERIOD:
            self._line()

    def _line(self) -> None:
        self.said = time.monotonic()
        otherwise = "".join(f", {count} {how}" for how, count in sorted(self.otherwise.items()))
        elapsed = f"{self.said - self.began:.0f} s"
        running = [f"{printable(one.name)} {one.step}/{one.total}" for one in self.running.values() if one.total]
        steps = f"running {', '.join(running[: self._LINES])}" if running else ""
        parts = [f"{self.title}: {self.done}/{self.total} trials{otherwise}", elapsed, self._seen(), steps]
        self.console.print("  ".join(part for part in parts if part), highlight=False, markup=False, soft_wrap=True)


def _score(metrics: dict[str, float | None], metric: Metric | None) -> tuple[float, str] | None:
    """The validation by which trials are ranked here, the larger the better, and how it reads."""
    value = metrics.get(f"val/{metric.name}") if metric is not None else None
    return (metric.sign * value, f"val/{metric.name} {value:.4g}") if metric is not None and value is not None else None
