"""Which trials a study begins with, and which follow from which results.

For an arm with something to tune, every candidate is tried at each point with the seeds that tune; the candidate best
on validation is trained with the seeds that are reported. Without seeds for tuning each reported seed tries all
candidates, and its best one is its result.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tlx.composition.compose import compose
from tlx.composition.study_arms import with_axes, words_of
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.study import seeds, tuning
from tlx.orchestration.study.validation_grid import ValidationGrid
from tlx.orchestration.sweep_record import Sweep
from tlx.reports.study_record import Registration, StudyRecord, Tried
from tlx.runs.result import Result
from tlx.training.locate import experiment, locate

if TYPE_CHECKING:
    from tlx.reports.study_results import StudyResults

Use = Literal["report", "tune", "vary"]


@dataclass(frozen=True)
class Cell:
    """One arm at one point."""

    arm: str
    point: Any


@dataclass(frozen=True)
class Role:
    """What a trial is run for."""

    cell: Cell
    use: Use
    seed: int
    values: dict[str, Any]
    source: str = ""  # of variation, which alone was varied


class StudyScheduler:
    """Hands out a study's trials, and files their results."""

    def __init__(self, name: str, overrides: list[str]) -> None:
        """Compose the study; raises :class:`ConfigError` for one that cannot answer its question."""
        self.name = name
        self.overrides = overrides
        self.whole = compose(overrides)
        if self.whole.study is None:
            raise ConfigError([ConfigIssue("study", "this experiment has no study")])
        self.study = with_axes(self.whole.study, self.whole.sweep.exclude)
        self._refuse_what_it_sets(overrides)
        self.words = {arm: words_of(overrides, options) for arm, options in self.study.arms.items()}
        self.source = None
        if self.study.source is not None:
            self.source = locate(experiment(f"trial:{self.study.source}", self.whole))
        self.roles: dict[str, list[Role]] = {}  # by identity
        self.tried: dict[Cell, list[Tried]] = {}
        self.cells: dict[Cell, dict[int, Result]] = {}
        self.chosen: dict[Cell, dict[int | None, dict[str, Any]]] = {}
        self.undecided: dict[Cell, str] = {}  # why nothing was chosen
        self.varied: dict[Cell, dict[str, dict[int, Result]]] = {}
        self.keeps: dict[str, str] = {}
        self.grid = ValidationGrid(self._candidates)

    @property
    def num_pending(self) -> int:
        """How many trials follow from tuning that is still going on."""
        count = 0
        for cell in self._all_cells():
            if not self.study.arms[cell.arm].tune or cell in self.chosen or cell in self.undecided:
                continue
            count += len(self._varying(cell)) + (len(self.study.seeds) if self.study.tune_seeds is not None else 0)
        return count

    def initial_jobs(self) -> list[Job]:
        """All seeds of the arms with nothing to tune, and every candidate of the others with the seeds that tune.

        Raises:
            ConfigError: Two arms, two points or two candidates are the same trial, or a setting is wrong.
        """
        jobs: list[Job] = []
        self.roles = {}
        for cell in self._all_cells():
            tune = self.study.arms[cell.arm].tune
            if not tune:
                jobs += self._reported(cell, {})
                jobs += self._sources(cell, {})
                continue
            for values in tuning.candidates(tune):
                for seed in self.study.tune_seeds if self.study.tune_seeds is not None else self.study.seeds:
                    jobs.append(self._job(Role(cell, "tune", seed, values), self._seeds(seed)))
        self._refuse_what_counts_twice()
        return jobs

    def on_result(self, outcome: Outcome) -> Iterable[Job]:
        """File a result; when a cell's candidates are all in, its best goes on to what is reported."""
        further: list[Job] = []
        for role in self.roles.get(outcome.job.place.identity, []):
            if role.use == "tune":
                tried = self.tried.setdefault(role.cell, [])
                tried.append(Tried(role.values, role.seed, outcome.result))
                further += self._settle(role.cell, role.seed)
            elif outcome.result is not None and role.use == "report":
                self.cells.setdefault(role.cell, {})[role.seed] = outcome.result
            elif outcome.result is not None:
                self.varied.setdefault(role.cell, {}).setdefault(role.source, {})[role.seed] = outcome.result
        return further

    def findings(self, sweep: Sweep, registration: Registration | None) -> StudyResults:
        """Every number of the report."""
        from tlx.reports.study_results import gather

        failures = [(outcome.job.label, outcome.reason) for outcome in sweep.failures]
        failures += [(f"{cell.arm}, {self.study.axis} = {cell.point}", why) for cell, why in self.undecided.items()]
        return gather(
            StudyRecord(
                name=self.name,
                study=self.study,
                output=sweep.folder.parent,
                command=f"tlx sweep {' '.join(self.overrides)}",
                cells={(cell.arm, cell.point): runs for cell, runs in self.cells.items()},
                tried={(cell.arm, cell.point): tried for cell, tried in self.tried.items()},
                chosen={(cell.arm, cell.point): values for cell, values in self.chosen.items()},
                varied={(cell.arm, cell.point): found for cell, found in self.varied.items()},
                source=self.source.result() if self.source is not None else None,
                failures=failures,
                pruned=sum(outcome.pruned for outcome in sweep.failures),
                registration=registration,
                keeps=self.keeps,
            )
        )

    def _all_cells(self) -> Iterator[Cell]:
        return (Cell(arm, point) for arm in self.study.arms for point in self.study.points)

    def _settle(self, cell: Cell, seed: int) -> list[Job]:
        """Choose, if all candidates are in: for all reported seeds at once, or for this one alone."""
        tune, tried = self.study.arms[cell.arm].tune, self.tried[cell]
        apart = self.study.tune_seeds
        mine = tried if apart is not None else [one for one in tried if one.seed == seed]
        if len(mine) < len(tuning.candidates(tune)) * (len(apart) if apart is not None else 1):
            return []
        values = tuning.best(mine, tune, self.study.tune_on)
        if values is None:
            of_seed = "" if apart is not None else f" with seed {seed}"
            self.undecided[cell] = f"nothing was chosen{of_seed}: each candidate failed, or is without the metric"
            return []
        if apart is not None:
            self.chosen[cell] = {None: values}
            return [*self._reported(cell, values), *self._sources(cell, values)]
        self.chosen.setdefault(cell, {})[seed] = values
        result = next(one.result for one in mine if one.values == values)
        assert result is not None
        self.cells.setdefault(cell, {})[seed] = result
        return self._sources(cell, values) if seed == self.study.seeds[0] else []

    def _reported(self, cell: Cell, values: dict[str, Any]) -> list[Job]:
        return [self._job(Role(cell, "report", seed, values), self._seeds(seed)) for seed in self.study.seeds]

    def _sources(self, cell: Cell, values: dict[str, Any]) -> list[Job]:
        """Trials in which one source of variation is another than the first seed's, and nothing else."""
        first = self.study.seeds[0]
        return [
            self._job(Role(cell, "vary", seed, values, source), seeds.alone(source, seed, first))
            for source, seed in self._varying(cell)
        ]

    def _varying(self, cell: Cell) -> list[tuple[str, int]]:
        about = self.study.variance
        if about is None or cell.arm not in (about.arms or [self.study.control]):
            return []
        return [(source, seed) for source in self.study.vary for seed in about.seeds]

    def _seeds(self, seed: int) -> dict[str, Any]:
        return seeds.settings(seed, self.study.seeds[0], self.study.vary, self.whole)

    def _job(self, role: Role, own: dict[str, Any]) -> Job:
        trial = self.grid.settled(self._composed(role.cell, role.values, own), role.cell.point)
        job = sweeps.job(trial)
        self.keeps[role.cell.arm] = trial.strategy.keep
        self.roles.setdefault(job.place.identity, []).append(role)
        return job

    def _composed(self, cell: Cell, values: Mapping[str, Any], own: Mapping[str, Any]) -> Trial:
        """The trial of an arm at a point, with what is tuned and the settings of a seed."""
        fixed = {self.study.axis: cell.point, **own}  # whatever else is set, a point holds its own trials
        varied = {self.study.axis: None, **values} | fixed
        if self.study.validation != "extra":
            varied["dataset.validation"] = self.study.validation
        return compose(self.words[cell.arm], {**varied, "study": None, "sweep.varied": list(varied)})

    def _candidates(self, point: Any) -> list[Trial]:
        """Every arm at a point, with everything that it may be tuned to."""
        own = self._seeds(self.study.seeds[0])
        return [
            self._composed(Cell(arm, point), values, own)
            for arm, options in self.study.arms.items()
            for values in tuning.candidates(options.tune)
        ]

    def _refuse_what_it_sets(self, overrides: list[str]) -> None:
        """A word of the command line that the study would write over is not passed over in silence."""
        problems = []
        for word in overrides:
            key = word.partition("=")[0].lstrip("+")
            if key in ("seed", self.study.axis):
                instead = "study.seeds=[...]" if key == "seed" else "study.points=[...]"
                problems.append(ConfigIssue(key, f"the study sets it; write {instead}", word.partition("=")[2]))
        if problems:
            raise ConfigError(problems)

    def _refuse_what_counts_twice(self) -> None:
        """One trial has one role, but where a source of variation is looked at."""
        problems: dict[str, ConfigIssue] = {}
        for roles in self.roles.values():
            mine = [one for one in roles if one.use != "vary"]
            for one, other in itertools.pairwise(mine):
                where = f"{one.cell.arm} at {one.cell.point}"
                if one.cell == other.cell:
                    key, what = f"study.arms.{one.cell.arm}.tune", f"{one.values} and {other.values} are the same trial"
                elif one.cell.arm == other.cell.arm:
                    key = "study.points"
                    what = f"{one.cell.point} and {other.cell.point} are the same trial for {one.cell.arm}"
                elif one.values == other.values:
                    key, what = "study.arms", f"{where} is the same trial as {other.cell.arm} at {other.cell.point}"
                else:
                    continue
                problems.setdefault(f"{key}{what}", ConfigIssue(key, f"{what}, and would count twice; leave one out"))
        if problems:
            raise ConfigError(list(problems.values()))
