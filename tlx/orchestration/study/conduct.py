"""A study from its command to its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.backends.launchers import Launcher
from tlx.orchestration.executor import failure
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.study import registration
from tlx.orchestration.study.scheduler import StudyScheduler
from tlx.orchestration.sweep_record import Sweep

if TYPE_CHECKING:
    from tlx.reports.study_results import StudyResults


@dataclass
class FinishedStudy:
    """A study that is over: its findings, its sweep, and the folder of its report."""

    found: StudyResults
    sweep: Sweep


def conduct(name: str, overrides: Sequence[str], console: Console, launcher: Launcher) -> FinishedStudy:
    """Run a study to its end and write its report; raises :class:`ConfigError` before anything starts."""
    scheduler = StudyScheduler(name, list(overrides))
    initial_jobs = scheduler.initial_jobs()
    sweeps.prepare(initial_jobs)
    from tlx.reports import page, tables

    registered = registration.register(scheduler, initial_jobs)
    console.print(registration.told(registered), markup=False, highlight=False, soft_wrap=True)
    written: list[StudyResults] = []

    def close(sweep: Sweep) -> str:
        """The report, before the sweep's record is closed, so that MLflow gets both."""
        written.append(scheduler.findings(sweep, registered))
        page.write(written[0], sweep.folder)
        return f"{tables.markdown(written[0])}\n\nStudy {registration.told(registered)}."

    sweep = sweeps.run(
        name,
        initial_jobs,
        console,
        launcher,
        on_result=scheduler.on_result,
        num_pending=lambda: scheduler.num_pending,
        close=close,
    )
    return FinishedStudy(written[0], sweep)


def collect(name: str, overrides: Sequence[str]) -> FinishedStudy:
    """The findings of a study that has been run, with its report written again; raises :class:`ConfigError`."""
    from tlx.reports import page

    scheduler = StudyScheduler(name, list(overrides))
    initial_jobs = scheduler.initial_jobs()
    sweep, missing = sweeps.gather(name, initial_jobs, scheduler.on_result)
    unfinished: list[Job] = []
    while missing:
        job = missing.pop()
        reason = failure(job)
        if not reason:
            unfinished.append(job)
            continue
        outcome = Outcome(job, None, reason)
        sweep.failures.append(outcome)
        missing += sweeps.resolve_finished(sweep, scheduler.on_result(outcome), scheduler.on_result)
    if unfinished:
        message = f"{len(unfinished)} trials are not finished; run: tlx sweep experiment={name}"
        raise ConfigError([ConfigIssue("study", message, name)])
    found = scheduler.findings(sweep, registration.compared(scheduler, initial_jobs))
    page.write(found, sweep.folder)
    return FinishedStudy(found, sweep)


def plan(overrides: Sequence[str]) -> tuple[list[Job], int]:
    """The trials a study begins with, and how many more follow from what tuning finds."""
    scheduler = StudyScheduler("plan", list(overrides))
    return sweeps.with_sources(scheduler.initial_jobs()), scheduler.num_pending
