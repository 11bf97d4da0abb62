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

from tlx.cli.arguments import Arguments, number
from tlx.composition.multirun import Outline, outline
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.machine import elsewhere
from tlx.orchestration.backends import launchers
from tlx.orchestration.backends.launchers import Launcher, Local, Ray, Slurm
from tlx.orchestration.executor import Unfinished
from tlx.orchestration.jobs import Outcome
from tlx.orchestration.worker import LOG
from tlx.reports.console import Terminal

if TYPE_CHECKING:
    from tlx.orchestration.sweep_record import Sweep

_DRY, _JOBS = "--dry-run", "a number of trials at once"


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--jobs", _JOBS)
    arguments.flag(_DRY)
    arguments.flag("-m", "--multirun")
    asked = arguments.take(words)
    jobs, dry = number(asked.jobs, "--jobs", _JOBS), asked.dry_run
    words, own = launchers.split(asked.words)
    about = outline(words)
    launcher = launchers.choose(own, about.launcher)
    if dry and not isinstance(launcher, Slurm):
        raise ConfigError(
            [ConfigIssue(_DRY, "shows the job script of Slurm; add hydra/launcher=slurm, or use tlx plan")]
        )
    console = Terminal(soft_wrap=False)
    if isinstance(launcher, Slurm):
        if about.kind == "search":
            message = "a search proposes as it goes; submit workers that share it, with search.storage=journal"
            raise ConfigError([ConfigIssue("hydra/launcher", f"{message}: sbatch --wrap 'tlx sweep ...'", "slurm")])
        with elsewhere("slurm"):
            return _submit(words, launcher, about, dry, console)
    if jobs is not None:
        launcher.n_jobs = jobs
    try:
        with elsewhere("ray") if isinstance(launcher, Ray) else nullcontext():
            return _stay(words, launcher, about, console)
    except Unfinished as end:
        console.print(f"tlx: {end}", markup=False, soft_wrap=True)
        return 1


def _stay(words: list[str], launcher: Launcher, about: Outline, console: Console) -> int:
    """Run a study, a search or a plain sweep to its end."""
    if about.kind == "study":
        return _study(words, launcher, about, console)
    if about.kind == "search":
        return _search(words, launcher, about, console)
    from tlx.orchestration import sweep as sweeps

    initial_jobs = [sweeps.job(trial) for trial in sweeps.plan(words)]
    sweep = sweeps.run(about.name, initial_jobs, console, launcher)
    _show(sweep, console)
    return failures(sweep.failures, console)


def _show(sweep: Sweep, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    primary = dict.fromkeys(result.primary.name for result in sweep.results.values())
    scores = [f"{split}/{name}" for name in primary for split in ("val", "test")]
    scores = [name for name in scores if any(name in result.metrics for result in sweep.results.values())]
    for title in ("trial", *scores, "CPU-s"):
        table.add_column(title, justify="left" if title == "trial" else "right")
    named = [(sweep.labels.get(result.folder, result.name), result) for result in sweep.results.values()]
    for label, result in sorted(named, key=lambda pair: pair[0]):
        values = [result.metrics.get(name) for name in scores]
        table.add_row(label, *("-" if v is None else f"{v:.4f}" for v in values), f"{result.cpu_seconds:.1f}")
    console.print(table)
    before = len(sweep.results) + len(sweep.failures) - sweep.ran - sweep.shared
    others = f"{sweep.shared} by other commands, " if sweep.shared else ""
    console.print(f"{sweep.ran} trials run, {others}{before} already finished")


def _submit(words: list[str], launcher: Slurm, about: Outline, dry: bool, console: Console) -> int:
    """Hand the sweep to Slurm, or show the job scripts; once all is finished, its table or report."""
    from tlx.orchestration import submission
    from tlx.orchestration import sweep as sweeps
    from tlx.orchestration.backends import slurm
    from tlx.orchestration.study import registration
    from tlx.orchestration.study.scheduler import StudyScheduler
    from tlx.orchestration.sweep_record import conclude

    scheduler = StudyScheduler(about.name, words) if about.kind == "study" else None
    name = about.name
    initial_jobs = (
        scheduler.initial_jobs() if scheduler is not None else [sweeps.job(trial) for trial in sweeps.plan(words)]
    )
    after = scheduler.on_result if scheduler is not None else lambda outcome: ()
    if dry:
        sweep, todo = sweeps.gather(name, initial_jobs, after)
        for group in slurm.kinds(todo):
            print(slurm.script(name, sweep.folder / slurm.FOLDER / "N", group, launcher))
        return 0
    if scheduler is not None:
        told = registration.told(registration.register(scheduler, initial_jobs))
        console.print(told, markup=False, soft_wrap=True)
    found = submission.submit(name, initial_jobs, launcher, on_result=after)
    if found.open:
        done = len(found.sweep.results)
        jobs = f"Slurm jobs {', '.join(found.jobs)}" if found.jobs else "nothing new"
        console.print(f"{jobs} submitted; {done} trials finished, {found.open} open", markup=False)
        console.print(f"how it goes: tlx status {name}; the same command again submits what is missing", markup=False)
        return failures(found.sweep.failures, console)
    if scheduler is not None:
        return _study(words, Local(), about, console)
    conclude(name, found.sweep, initial_jobs[0].trial)
    _show(found.sweep, console)
    return failures(found.sweep.failures, console)


def failures(outcomes: list[Outcome], console: Console) -> int:
    """Name the failed trials and where their logs are; the exit code."""
    for outcome in outcomes:
        console.print(f"failed: {outcome.job.label}: {outcome.reason}", markup=False, soft_wrap=True)
        log = outcome.job.place.path / LOG
        if log.is_file():
            console.print(f"        log: {log}", markup=False, soft_wrap=True)
    return 1 if outcomes else 0


def _study(words: list[str], launcher: Launcher, about: Outline, console: Console) -> int:
    from tlx.orchestration.study.conduct import conduct
    from tlx.reports.terminal import show

    study = conduct(about.name, words, console, launcher)
    show(study.found, str(study.sweep.folder), console)
    return failures(study.sweep.failures, console)


def _search(words: list[str], launcher: Launcher, about: Outline, console: Console) -> int:
    """A search: its best trials, and where to find the rest."""
    from tlx.orchestration.search import report
    from tlx.orchestration.search.run import search

    found = search(about.name, words, console, launcher)
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
        name = f"{about.name}_best"
        lines.append(f"the best again: cp {study.folder / report.BEST} experiments/{name}.yaml")
        lines.append(f"                tlx train experiment={name}")
    for line in [*lines, f"report: {study.folder / report.FILE}"]:
        console.print(line, markup=False, soft_wrap=True)
    return failures([one for one in found.sweep.failures if not one.pruned], console)
