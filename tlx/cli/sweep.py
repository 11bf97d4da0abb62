"""tlx sweep [overrides]: run many trials, each in a clean process; run it again and only what is missing runs.

tlx sweep experiment=quickstart                                   (the study an experiment holds, with its report)
tlx sweep backbone=resnet18,vit_tiny strategy=fine_tune,lp_ft seed=0,1,2 dataset=digits
tlx sweep ... --jobs 4                                            (trials at once; default: one per core)
tlx sweep ... hydra/launcher=slurm hydra.launcher.partition=gpu   (an array of jobs; returns at once, see tlx status)
tlx sweep ... hydra/launcher=slurm --dry-run                      (the job script, and nothing else)
tlx sweep ... hydra/launcher=ray hydra.launcher.address=host:6379 (tasks of a Ray cluster; the command stays)
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tlx.cli import option
from tlx.cli.output import Terminal
from tlx.config import files
from tlx.config.errors import ConfigError, Problem
from tlx.config.machine import elsewhere
from tlx.config.places import find
from tlx.config.schema import EXPERIMENT
from tlx.files import foreign
from tlx.sweep import launchers
from tlx.sweep.launchers import Launcher, Local, Ray, Slurm
from tlx.sweep.pool import Job, Outcome
from tlx.sweep.worker import LOG

if TYPE_CHECKING:
    from tlx.sweep.record import Sweep

_DRY = "--dry-run"


def run(words: list[str]) -> int:
    """The verb."""
    words, jobs = option.number(words, "--jobs", "a number of trials at once")
    words, dry = [word for word in words if word != _DRY], _DRY in words
    words, own = launchers.split(words)
    launcher = launchers.choose(own)
    if dry and not isinstance(launcher, Slurm):
        raise ConfigError([Problem(_DRY, "shows the job script of Slurm; add hydra/launcher=slurm, or use tlx plan")])
    console = Terminal(soft_wrap=False)
    is_study = _has(words, "study")
    if isinstance(launcher, Slurm):
        if _has(words, "search"):
            message = "a search proposes as it goes; submit workers that share it, with search.storage=journal"
            raise ConfigError([Problem("hydra/launcher", f"{message}: sbatch --wrap 'tlx sweep ...'", "slurm")])
        with elsewhere("slurm"):
            return _submit(words, launcher, is_study, dry, console)
    if jobs is not None:
        launcher.n_jobs = jobs
    with elsewhere("ray") if isinstance(launcher, Ray) else nullcontext():
        return _stay(words, launcher, is_study, console)


def _stay(words: list[str], launcher: Launcher, is_study: bool, console: Console) -> int:
    """Run a study, a search or a plain sweep to its end."""
    if is_study:
        return _study(words, launcher, console)
    if _has(words, "search"):
        return _search(words, launcher, console)
    from tlx.sweep import run as sweeps

    name, opening = _plain(words)
    sweep = sweeps.run(name, opening, console, launcher)
    _show(sweep, console)
    return failures(sweep.failures, console)


def _plain(words: list[str]) -> tuple[str, list[Job]]:
    """The name and the trials of a sweep that is no study."""
    from tlx.sweep import run as sweeps

    trials = sweeps.plan(words)
    return trials[0].group or "sweep", [sweeps.job(trial) for trial in trials]


def _show(sweep: Sweep, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("trial", "val/acc", "test/acc", "CPU-s"):
        table.add_column(title, justify="left" if title == "trial" else "right")
    for result in sorted(sweep.results.values(), key=lambda r: r.name):
        scores = [result.metrics.get(name) for name in ("val/acc", "test/acc")]
        table.add_row(result.name, *("-" if s is None else f"{s:.4f}" for s in scores), f"{result.cpu_seconds:.1f}")
    console.print(table)
    before = len(sweep.results) + len(sweep.failures) - sweep.ran - sweep.shared
    others = f"{sweep.shared} by other commands, " if sweep.shared else ""
    console.print(f"{sweep.ran} trials run, {others}{before} already finished")


def _submit(words: list[str], launcher: Slurm, is_study: bool, dry: bool, console: Console) -> int:
    """Hand the sweep to Slurm, or show the job scripts; once all is finished, its table or report."""
    from tlx.sweep import run as sweeps
    from tlx.sweep import slurm
    from tlx.sweep.record import conclude
    from tlx.sweep.study import Conductor

    conductor = Conductor(_experiment(words), words) if is_study else None
    name, opening = (conductor.name, conductor.opening()) if conductor is not None else _plain(words)
    after = conductor.after if conductor is not None else lambda outcome: ()
    if dry:
        sweep, todo = sweeps.gather(name, opening, after)
        for group in slurm.kinds(todo):
            print(slurm.script(name, sweep.folder / slurm.FOLDER / "N", group, launcher))
        return 0
    found = sweeps.submit(name, opening, launcher, after=after)
    if found.open:
        done = len(found.sweep.results)
        jobs = f"Slurm jobs {', '.join(found.jobs)}" if found.jobs else "nothing new"
        console.print(f"{jobs} submitted; {done} trials finished, {found.open} open", markup=False)
        console.print(f"how it goes: tlx status {name}; the same command again submits what is missing", markup=False)
        return failures(found.sweep.failures, console)
    if conductor is not None:
        return _study(words, Local(), console)
    conclude(found.sweep, opening[0].trial)
    _show(found.sweep, console)
    return failures(found.sweep.failures, console)


def failures(outcomes: list[Outcome], console: Console) -> int:
    """Name the failed trials and where their logs are; the exit code."""
    for outcome in outcomes:
        console.print(f"failed: {outcome.job.place.name}: {outcome.reason}", markup=False, soft_wrap=True)
        log = outcome.job.place.path / LOG
        if log.is_file():
            console.print(f"        log: {log}", markup=False, soft_wrap=True)
    return 1 if outcomes else 0


def _study(words: list[str], launcher: Launcher, console: Console) -> int:
    from tlx.report.terminal import show
    from tlx.sweep.study import conduct

    study = conduct(_experiment(words), words, console, launcher)
    show(study.found, str(study.sweep.folder), console)
    return failures(study.sweep.failures, console)


def _experiment(words: list[str]) -> str:
    return next(word for word in words if word.startswith("experiment=")).partition("=")[2]


def _has(words: list[str], part: str) -> bool:
    """Does the one experiment that is chosen hold a study, or a search?"""
    if not any(word.startswith("experiment=") and "," not in word for word in words):
        return False
    path = find(EXPERIMENT, _experiment(words))
    try:
        text = files.document(path)[0] if path is not None else ""
    except (foreign.Unreadable, FileNotFoundError):
        return False  # composing it says what is wrong with it
    return any(line.startswith(f"{part}:") for line in text.splitlines())


def _search(words: list[str], launcher: Launcher, console: Console) -> int:
    """A search: its best trials, and where to find the rest."""
    from tlx.search import conduct, report

    found = conduct.search(_experiment(words), words, console, launcher)
    study = found.study
    table = Table(box=None, pad_edge=False)
    ranked = report.best(study)
    for title in report.head(study):
        table.add_column(title)
    for row in report.rows(study, ranked[:5]):
        table.add_row(*row)
    console.print(table)
    counts = ", ".join(f"{count} {state}" for state, count in study.counts().items())
    lines = [f"{len(study.trials)} trials: {counts}"]
    if study.too_many_failed():
        lines.append(f"stopped: more than {study.options.max_failed:.0%} of the trials failed")
    if ranked:
        name = f"{_experiment(words)}_best"
        lines.append(f"the best again: cp {study.folder / report.BEST} experiments/{name}.yaml")
        lines.append(f"                tlx train experiment={name}")
    for line in [*lines, f"report: {study.folder / report.FILE}"]:
        console.print(line, markup=False, soft_wrap=True)
    return failures([one for one in found.sweep.failures if not one.pruned], console)
