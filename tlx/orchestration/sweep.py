"""A sweep from one command: every trial checked first, finished ones skipped, the rest run, all of them mirrored."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tlx.components.registry import of_group
from tlx.composition import request
from tlx.composition.compose import compose
from tlx.composition.multirun import expand, varied
from tlx.composition.rules import refuse_many_trials
from tlx.config import output
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.config.select import select
from tlx.orchestration.backends.launchers import Launcher, Local, Ray, Slurm
from tlx.orchestration.backends.processes import Backend, LocalBackend, start_forkserver
from tlx.orchestration.executor import Executor, failure
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.preflight import preflight
from tlx.orchestration.progress import SweepProgress
from tlx.orchestration.rounding_differences import RoundingDifferences, threads_of
from tlx.orchestration.sweep_record import Sweep, SweepRecord, conclude, described, folder_of
from tlx.runs.lock import Busy, locked
from tlx.tracking.mlflow_sync import MLflowSync
from tlx.training.locate import experiment, locate

LOCAL = Local()
_log = logging.getLogger(__name__)
OnResult = Callable[[Outcome], Iterable[Job]]


def plan(overrides: list[str]) -> list[Trial]:
    """Every trial of a multirun, composed and checked; raises :class:`ConfigError` with the problems of all."""
    trials, problems, left_out = list[Trial](), list[ConfigIssue](), 0
    rules, used = list[Mapping[str, Any]](), set[int]()
    keys = varied(overrides)
    for words in expand(overrides):
        try:
            trial = compose(words)
            refuse_many_trials(trial)
        except ConfigError as error:
            problems += error.problems
            continue
        trial.sweep.varied = keys
        rules = list(trial.sweep.exclude)
        fitting = {number for number, rule in enumerate(rules) if _has(trial, words, rule)}
        used |= fitting
        if fitting:
            left_out += 1
        else:
            trials.append(trial)
    if problems:
        raise ConfigError(problems)
    if left_out:
        _log.warning("tlx: %d of %d trials are left out (sweep.exclude)", left_out, left_out + len(trials))
    for number, rule in enumerate(rules):
        if number not in used:
            _log.warning("tlx: sweep.exclude.%d leaves out nothing: no trial has %s", number, dict(rule))
    if not trials:
        raise ConfigError([ConfigIssue("sweep.exclude", "leaves no trial")])
    return trials


def _has(trial: Trial, words: list[str], rule: Mapping[str, Any]) -> bool:
    """Does a trial have all these values? Of a group, the choice counts."""
    chosen = {one.key: one.value for one in request.read(words).choices.values()}
    return all((chosen[key] if key in chosen else select(trial, key)) == value for key, value in rule.items())


def job(trial: Trial) -> Job:
    """A trial with its place, after the earlier trial whose weights it takes; on one device unless it says more."""
    if trial.hardware.devices is None:
        trial = replace(trial, hardware=replace(trial.hardware, devices=1))
    found = locate(trial)
    return Job(trial, found, frozenset({found.source.identity} if found.source is not None else ()))


def with_sources(jobs: list[Job]) -> list[Job]:
    """The jobs, led by the earlier trials they start from, each trial once."""
    found: dict[str, Job] = {}

    def add(one: Job) -> None:
        if one.after:
            add(job(experiment(one.trial.backbone.weights, one.trial)))
        found.setdefault(one.place.identity, one)

    for one in jobs:
        add(one)
    return list(found.values())


def prepare(jobs: list[Job]) -> None:
    """Let the trials' imports begin, if any of these is still to be run."""
    todo = [one.trial for one in with_sources(jobs) if one.place.result() is None]
    if todo:
        start_forkserver(todo)


def gather(
    name: str, jobs: list[Job], on_result: OnResult, folder: Path | None = None, launcher: Launcher | Slurm = LOCAL
) -> tuple[Sweep, list[Job]]:
    """The results there are already, following ``on_result``, and the jobs still to be run."""
    jobs = with_sources(jobs)
    if not jobs:
        raise ConfigError([ConfigIssue("sweep", "no trials")])
    sweep = Sweep(folder or folder_of(name, jobs), rounding_differences=RoundingDifferences(threads_of(launcher)))
    return sweep, resolve_finished(sweep, jobs, on_result)


def run(
    name: str,
    jobs: list[Job],
    console: Console,
    launcher: Launcher = LOCAL,
    *,
    folder: Path | None = None,
    on_result: OnResult = lambda outcome: (),
    num_pending: Callable[[], int] = lambda: 0,
    close: Callable[[Sweep], str] = lambda sweep: "",
) -> Sweep:
    """Run what is not finished. ``folder`` is the sweep's, if the trials it begins with do not decide it.

    ``on_result`` answers an outcome with further jobs; ``num_pending`` says how many are to be expected. ``close`` is
    called when all is done and gives the note for the sweep's record. Where another process runs the same sweep, the
    two share its trials, and the record stays with the one that was first.
    """
    sweep, todo = gather(name, jobs, on_result, folder, launcher)
    if not todo:
        conclude(name, sweep, jobs[0].trial, close(sweep))
        _tell(sweep.rounding_differences.line(), console)
        return sweep
    output.claim(sweep.folder.parent)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(sweep.folder, f"the sweep {name}"))
            record = SweepRecord(sweep, described(name, jobs[0].trial, sweep.folder))
        except Busy as busy:
            console.print(f"{busy}; sharing its trials", markup=False, highlight=False)
            record = SweepRecord(sweep, None)
        _run(name, sweep, record, todo, jobs[0].trial, console, launcher, on_result, num_pending, close)
    _tell(sweep.rounding_differences.line(), console)
    return sweep


def _tell(line: str, console: Console) -> None:
    if line:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def place(launcher: Launcher, trials: list[Trial], console: Console) -> Backend:
    """Where the trials run; raises :class:`ConfigError` where a cluster cannot be reached."""
    if isinstance(launcher, Ray):
        from tlx.orchestration.backends.ray import connect

        return connect(launcher, trials, console)
    for own in of_group("launcher").values():
        if isinstance(launcher, own.config):
            backend: Backend = own.function()(launcher, trials, console)
            return backend
    return LocalBackend(launcher.n_jobs)


def _run(
    name: str,
    sweep: Sweep,
    record: SweepRecord,
    todo: list[Job],
    first: Trial,
    console: Console,
    launcher: Launcher,
    on_result: OnResult,
    num_pending: Callable[[], int],
    close: Callable[[Sweep], str],
) -> None:
    began = time.monotonic()
    start_forkserver([one.trial for one in todo])
    expected = num_pending()
    progress = SweepProgress(console, name, len(todo) + expected)
    known = {one.place.identity for one in todo}
    preflight(one.trial for one in todo)
    at = place(launcher, [one.trial for one in todo], console)
    with MLflowSync(first.tracking) as mirror:
        if record.description is not None:
            mirror.watch(sweep.folder)
        record.begin()
        record.members(expected)
        record.catch_up(mirror)

        def done(outcome: Outcome) -> list[Job]:
            nonlocal expected
            sweep.ran += not outcome.elsewhere and not outcome.kept
            sweep.shared += outcome.elsewhere
            _keep(sweep, outcome)
            if outcome.result is not None and (outcome.elsewhere or outcome.kept):
                sweep.rounding_differences.look(outcome.job.trial, outcome.result)
            how = "pruned" if outcome.pruned else "failed" if outcome.result is None else ""
            progress.ended(outcome.job.place.identity, how, outcome.result)
            jobs = resolve_finished(sweep, on_result(outcome), on_result)
            further = [one for one in jobs if one.place.identity not in known]
            known.update(one.place.identity for one in further)
            surprise = len(further) - expected
            expected = max(0, expected - len(further))
            record.members(expected)
            if surprise > 0:
                progress.add(surprise)
            return further

        def over() -> str:
            options, failed = first.sweep, [one for one in sweep.failures if not one.pruned]
            if options.on_failure == "stop" and failed:
                return f"a trial failed: {failed[0].job.label}: {failed[0].reason}"
            is_late = options.minutes is not None and time.monotonic() - began > 60 * options.minutes
            return f"{options.minutes:g} minutes are over (sweep.minutes)" if is_late else ""

        told = set[str]()

        def started(one: Job) -> None:
            if (reason := one.place.outdated()) and reason not in told:
                told.add(reason)
                _tell(f"{reason}: trials that began from other weights are run again", console)
            progress.started(one.place.identity, one.label, one.place.path)
            mirror.watch(one.place.path, sweep.folder)
            record.started(one.place.path.name)

        try:
            with progress:
                lost = {one.job.place.identity for one in sweep.failures}  # nothing waits for these
                finished, timeout = set(sweep.results), launcher.timeout
                Executor(at, done, started, progress.tick, finished, lost, timeout, over).run(todo)
            note = close(sweep)
        except BaseException as error:
            record.stopped(error)
            raise
        record.end(note)


def resolve_finished(sweep: Sweep, jobs: Iterable[Job], on_result: OnResult) -> list[Job]:
    """Take the results of finished jobs, and of those they lead to; returns the jobs still to be run."""
    todo: list[Job] = []
    for one in jobs:
        sweep.labels.setdefault(one.place.path.name, one.label)
        result = one.place.result()
        if result is not None and not one.after <= sweep.results.keys():  # it counts if its source comes out as before
            todo.append(replace(one, kept=True))
            continue
        never = one.trial.sweep.retry == "never"
        if result is None and never and (reason := failure(one, statuses=("FAILED",))):
            outcome = Outcome(one, None, reason)
            _keep(sweep, outcome)
            todo += resolve_finished(sweep, on_result(outcome), on_result)
            continue
        if result is None:
            todo.append(one)
            continue
        outcome = Outcome(one, result)
        _keep(sweep, outcome)
        sweep.rounding_differences.look(one.trial, result)
        todo += resolve_finished(sweep, on_result(outcome), on_result)
    return todo


def _keep(sweep: Sweep, outcome: Outcome) -> None:
    if outcome.result is None:
        sweep.failures.append(outcome)
    else:
        sweep.results[outcome.result.identity] = outcome.result
