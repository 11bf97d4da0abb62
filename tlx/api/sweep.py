"""``tlx.sweep``: run many trials, each in a clean process of its own, as the command ``tlx sweep`` does."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tlx.api.request import speaker
from tlx.api.run import Run, run_of
from tlx.composition.multirun import outline
from tlx.composition.words import Words, written
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.machine import elsewhere
from tlx.files.looking import shown_by
from tlx.orchestration import sweep as sweeps
from tlx.orchestration import table
from tlx.orchestration.backends import launchers
from tlx.orchestration.backends.launchers import Launcher, Ray, Slurm
from tlx.orchestration.study import conduct
from tlx.orchestration.sweep_record import Sweep as Record
from tlx.reports.look import Look

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Failure:
    """A trial that has no result."""

    trial: str
    reason: str
    folder: Path


@dataclass(frozen=True, repr=False)
class Sweep:
    """A sweep that is over. It stands for its folder wherever a path does.

    Args:
        folder: Its own; those of its trials lie beside it.
        runs: Its finished trials.
        failures: The others, with the reason.
    """

    folder: Path
    runs: list[Run]
    failures: list[Failure]

    @property
    def results(self) -> pandas.DataFrame:
        """A row for each trial: what varies, its state, its metrics, what it cost, and its folder."""
        import pandas

        return pandas.DataFrame(table.rows(self.folder))

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"<Sweep {self.folder.name}: {self._counts()}; {self.folder}>"

    def _repr_html_(self) -> str:
        rows = self.results.drop(columns="folder", errors="ignore").to_html(index=False, escape=True)
        return f"<p>{escape(self.folder.name)}: {escape(self._counts())}</p>{rows}"

    def _counts(self) -> str:
        failed = f", {len(self.failures)} without a result" if self.failures else ""
        return f"{len(self.runs)} trials finished{failed}"


def sweep(overrides: Words = (), *, jobs: int | None = None, quiet: bool = False, **settings: Any) -> Sweep:
    """Run what is missing of a sweep, of the study or of the search that an experiment holds.

    Args:
        overrides: A text of overrides, a list of them (in both, commas give several values), or keys and values.
        jobs: Trials at once; None: one per GPU where there are any, else one per core.
        quiet: Show nothing.
        settings: More keys and values. A list or a range gives several values: ``seed=range(3)``; an option that is a
            list itself is varied by a list of lists.

    Returns:
        What the trials found. Those that failed are in ``failures`` and are named in the output.

    Raises:
        RequestError: Something that was asked for cannot be; nothing was started.
        Unfinished: The sweep was ended by its own rules; the same call goes on.
        KeyboardInterrupt: Ctrl-C; the running trials were stopped, and the same call goes on.

    Example:
        >>> tlx.sweep("strategy=logistic dataset=digits", backbone=["pixels", "narrow_resnet"], seed=range(3)).results
    """
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ConfigError([ConfigIssue("jobs", "expected a number of trials at once", jobs)])
    words, own = launchers.split(written(overrides, settings, varies=True))
    about = outline(words)
    launcher = launchers.choose(own, about.launcher)
    if isinstance(launcher, Slurm):
        message = "hands trials to a queue and returns at once; use the command: tlx sweep ... hydra/launcher=slurm"
        raise ConfigError([ConfigIssue("hydra/launcher", message, "slurm")])
    launcher.n_jobs = jobs or launcher.n_jobs
    console, say = speaker(quiet)
    with shown_by(Look(console)), elsewhere("ray") if isinstance(launcher, Ray) else nullcontext():
        found = _run(about.kind, about.name, words, console, launcher)
    failures = [Failure(one.job.label, one.reason, one.job.place.path) for one in found.failures]
    for failure in failures:
        say(f"failed: {failure.trial}: {failure.reason}")
    say(f"record: {found.folder}")
    runs = [run_of(result, found.folder.parent / result.folder) for result in found.results.values()]
    return Sweep(found.folder, runs, failures)


def _run(kind: str, name: str, words: list[str], console: Console, launcher: Launcher) -> Record:
    if kind == "study":
        return conduct.conduct(name, words, console, launcher).sweep
    if kind == "search":
        from tlx.orchestration.search.run import search  # Optuna, which may not be installed

        return search(name, words, console, launcher).sweep
    return sweeps.run(name, [sweeps.job(trial) for trial in sweeps.plan(words)], console, launcher)
