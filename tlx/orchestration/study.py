"""A study: arms x points x seeds, each arm tuned on validation, every trial an ordinary one.

For an arm with something to tune, the first seed tries every candidate at each point; the candidate best on
validation is used for the other seeds. The first seed's best candidate is the first seed's result: nothing is run
twice, and the test set is never looked at for a choice.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tlx.composition.compose import compose
from tlx.config.errors import ConfigError, ConfigIssue, suggest
from tlx.config.study import Arm, Study
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.backends.launchers import Launcher
from tlx.orchestration.executor import failure
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.sweep_record import Sweep
from tlx.runs.result import Result
from tlx.training.locate import experiment, locate

if TYPE_CHECKING:
    from tlx.reports.study_results import StudyResults


@dataclass(frozen=True)
class Cell:
    """One arm at one point."""

    arm: str
    point: Any


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
    from tlx.reports import page

    written: list[StudyResults] = []

    def close(sweep: Sweep) -> str:
        """The report, before the sweep's record is closed, so that MLflow gets both."""
        written.append(scheduler.findings(sweep))
        page.write(written[0], sweep.folder)
        return page.markdown(written[0])

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
    sweep, missing = sweeps.gather(name, scheduler.initial_jobs(), scheduler.on_result)
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
    found = scheduler.findings(sweep)
    page.write(found, sweep.folder)
    return FinishedStudy(found, sweep)


def plan(overrides: Sequence[str]) -> tuple[list[Job], int]:
    """The trials a study begins with, and how many more follow from what tuning finds."""
    scheduler = StudyScheduler("plan", list(overrides))
    return sweeps.with_sources(scheduler.initial_jobs()), scheduler.num_pending


class StudyScheduler:
    """Knows which trials a study begins with, and which follow from which results."""

    def __init__(self, name: str, overrides: list[str]) -> None:
        self.name = name
        self.overrides = overrides
        whole = compose(overrides)
        if whole.study is None:
            raise ConfigError([ConfigIssue("study", "this experiment has no study")])
        self.study = with_axes(whole.study, whole.sweep.exclude)
        verify(self.study)
        self.arms = {arm: _arm(overrides, options.overrides) for arm, options in self.study.arms.items()}
        self.source = None
        if self.study.source is not None:
            self.source = locate(experiment(f"trial:{self.study.source}", whole))
        self.places: dict[str, list[tuple[Cell, int, dict[str, Any]]]] = {}  # identity -> where its result belongs
        self.tried: dict[Cell, list[tuple[dict[str, Any], Result | None]]] = {}
        self.cells: dict[Cell, dict[int, Result]] = {}
        self.chosen: dict[Cell, dict[str, Any]] = {}

    @property
    def num_pending(self) -> int:
        """How many trials follow from tuning that is still going on."""
        tuned = [Cell(arm, p) for arm, options in self.study.arms.items() if options.tune for p in self.study.points]
        return sum(cell not in self.chosen for cell in tuned) * (len(self.study.seeds) - 1)

    def initial_jobs(self) -> list[Job]:
        """All seeds of the arms with nothing to tune, and every candidate of the others at the first seed."""
        jobs = []
        for arm, options in self.study.arms.items():
            for point in self.study.points:
                cell = Cell(arm, point)
                seeds = self.study.seeds[:1] if options.tune else self.study.seeds
                for values, seed in itertools.product(_candidates(options.tune), seeds):
                    jobs.append(self._job(cell, seed, values))
        return jobs

    def on_result(self, outcome: Outcome) -> Iterable[Job]:
        """File a result; when a cell's candidates are all in, its best goes on to the other seeds."""
        further: list[Job] = []
        result = outcome.result
        for cell, seed, values in self.places.get(outcome.job.place.identity, []):
            tune = self.study.arms[cell.arm].tune
            if not tune or cell in self.chosen:
                if result is not None:
                    self.cells.setdefault(cell, {})[seed] = result
                continue
            tried = self.tried.setdefault(cell, [])
            tried.append((values, result))
            if len(tried) == len(_candidates(tune)):
                further += self._settle(cell, seed)
        return further

    def findings(self, sweep: Sweep) -> StudyResults:
        """Every number of the report."""
        from tlx.reports.study_results import gather

        return gather(
            self.name,
            self.study,
            sweep.folder.parent,
            {(cell.arm, cell.point): runs for cell, runs in self.cells.items()},
            {(cell.arm, cell.point): values for cell, values in self.chosen.items()},
            {(cell.arm, cell.point): [r for _, r in tried if r is not None] for cell, tried in self.tried.items()},
            self.source.result() if self.source is not None else None,
            [(outcome.job.label, outcome.reason) for outcome in sweep.failures],
            f"tlx sweep {' '.join(self.overrides)}",
        )

    def _settle(self, cell: Cell, seed: int) -> list[Job]:
        """The best candidate goes on; one that failed, by diverging say, is no candidate."""
        order = _candidates(self.study.arms[cell.arm].tune)
        tried = sorted(self.tried[cell], key=lambda pair: order.index(pair[0]))
        whole = [(values, result) for values, result in tried if result is not None]
        if not whole:
            return []
        best, result = max(whole, key=lambda pair: merit(pair[1], self.study.tune_on))
        self.chosen[cell] = best
        self.cells[cell] = {seed: result}
        return [self._job(cell, other, best) for other in self.study.seeds[1:]]

    def _job(self, cell: Cell, seed: int, values: dict[str, Any]) -> Job:
        varied = {self.study.axis: cell.point, **values, "seed": seed}
        job = sweeps.job(compose(self.arms[cell.arm], {**varied, "study": None, "sweep.varied": list(varied)}))
        self.places.setdefault(job.place.identity, []).append((cell, seed, values))
        return job


def _arm(overrides: list[str], own: list[str]) -> list[str]:
    """The study's file, then the arm's overrides, then the command line's own."""
    experiment_words = [word for word in overrides if word.startswith("experiment=")]
    rest = [word for word in overrides if word not in experiment_words and not word.startswith("study.")]
    return [*experiment_words, *own, *rest]


def with_axes(study: Study, exclude: Sequence[Mapping[str, Any]] = ()) -> Study:
    """Write a study's axes out as arms, one for each combination of their values, after the arms it names.

    Args:
        study: As it was composed.
        exclude: Combinations left out, each as axes and their values.

    Raises:
        ConfigError: An axis has no values, or two arms have one name.
    """
    empty = [key for key, values in study.axes.items() if not isinstance(values, list) or not values]
    if empty:
        raise ConfigError(
            [ConfigIssue(f"study.axes.{key}", "expected a list of values", study.axes[key]) for key in empty]
        )
    arms = dict(study.arms)
    for values in itertools.product(*study.axes.values()) if study.axes else ():
        name = " + ".join(map(str, values))
        combination = dict(zip(study.axes, values, strict=True))
        if any(all(combination.get(key) == value for key, value in rule.items()) for rule in exclude):
            continue
        if name in arms:
            raise ConfigError([ConfigIssue("study.axes", "gives an arm of a name that there is already", name)])
        arms[name] = Arm(overrides=[f"{key}={_quoted(value)}" for key, value in combination.items()], tune=study.tune)
    return replace(study, arms=arms)


def _quoted(value: Any) -> str:
    """A value as an override has it."""
    return value if isinstance(value, str) and value.isidentifier() else json.dumps(value)


def _candidates(tune: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The product of the values to try; one empty candidate when there is nothing to tune."""
    return [dict(zip(tune, values, strict=True)) for values in itertools.product(*tune.values())]


def merit(result: Result, tune_on: str) -> float:
    """Larger is better; undefined is worst."""
    if tune_on == "loss":
        loss = result.metrics.get("val/loss")
        return float("-inf") if loss is None else -loss
    score = result.metrics.get(f"val/{result.primary.name}")
    return float("-inf") if score is None else result.primary.sign * score


def verify(study: Study) -> None:
    """Raise :class:`ConfigError` for a study that cannot answer its question."""
    problems = []
    if study.control not in study.arms:
        hint = suggest(study.control, study.arms) or f"; the arms are {', '.join(study.arms)}"
        problems.append(ConfigIssue("study.control", f"not an arm{hint}", study.control))
    for field_name in ("points", "seeds"):
        if not getattr(study, field_name):
            problems.append(ConfigIssue(f"study.{field_name}", "empty: nothing would be run"))
    for arm, options in study.arms.items():
        for key, values in options.tune.items():
            if not isinstance(values, list) or not values:
                problems.append(ConfigIssue(f"study.arms.{arm}.tune.{key}", "expected a list of values", values))
    if problems:
        raise ConfigError(problems)
