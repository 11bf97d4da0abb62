"""A search from its first proposal to its report: a sweep whose next trial follows from the results so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from tlx.orchestration import sweep as sweeps
from tlx.orchestration.backends.launchers import Launcher
from tlx.orchestration.search import report
from tlx.orchestration.search.scheduler import SearchScheduler
from tlx.orchestration.search.study import Study
from tlx.orchestration.sweep_record import Sweep, conclude


@dataclass
class FinishedSearch:
    """A search that has got as far as it was asked to."""

    study: Study
    sweep: Sweep


def search(name: str, words: Sequence[str], console: Console, launcher: Launcher) -> FinishedSearch:
    """Run what is missing of a search and write its report; raises :class:`ConfigError` before anything starts."""
    scheduler = SearchScheduler(name, list(words))
    initial_jobs = scheduler.initial_jobs(sweeps.place(launcher, [scheduler.base], console).slots)

    def close(sweep: Sweep) -> str:
        return report.write(scheduler)

    sweep = Sweep(scheduler.folder)
    if initial_jobs:
        sweep = sweeps.run(
            name,
            initial_jobs,
            console,
            launcher,
            folder=scheduler.folder,
            on_result=scheduler.on_result,
            num_pending=lambda: scheduler.num_pending,
            close=close,
        )
    else:
        conclude(name, sweep, scheduler.base, close(sweep))
    return FinishedSearch(scheduler.study, sweep)
