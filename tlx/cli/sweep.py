"""tlx sweep [overrides]: run many trials, each in a clean process; run it again and only what is missing runs.

tlx sweep experiment=quickstart                                   (the study an experiment holds, with its report)
tlx sweep backbone=resnet18,vit_tiny strategy=fine_tune,lp_ft seed=0,1,2 dataset=digits
tlx sweep ... --jobs 4                                            (trials at once; default: one per core)
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tlx.config.errors import ConfigError, Problem
from tlx.config.places import find
from tlx.config.schema import EXPERIMENT
from tlx.sweep.pool import Outcome
from tlx.sweep.worker import LOG


def run(words: list[str]) -> int:
    """The verb."""
    words, jobs = _jobs(words)
    console = Console(highlight=False)
    if any(word.startswith("experiment=") and "," not in word for word in words) and _is_study(words):
        return _study(words, jobs, console)
    from tlx.sweep import run as sweeps

    trials = sweeps.plan(words)
    name = trials[0].group or "sweep"
    sweep = sweeps.run(name, [sweeps.job(trial) for trial in trials], console, slots=jobs)
    table = Table(box=None, pad_edge=False)
    for title in ("trial", "val/acc", "test/acc", "CPU-s"):
        table.add_column(title, justify="left" if title == "trial" else "right")
    for result in sorted(sweep.results.values(), key=lambda r: r.name):
        scores = [result.metrics.get(name) for name in ("val/acc", "test/acc")]
        table.add_row(result.name, *("-" if s is None else f"{s:.4f}" for s in scores), f"{result.cpu_seconds:.1f}")
    console.print(table)
    console.print(f"{sweep.ran} trials run, {len(sweep.results) - sweep.ran + len(sweep.failures)} already finished")
    return failures(sweep.failures, console)


def failures(outcomes: list[Outcome], console: Console) -> int:
    """Name the failed trials and where their logs are; the exit code."""
    for outcome in outcomes:
        console.print(f"failed: {outcome.job.place.name}: {outcome.reason}", markup=False, soft_wrap=True)
        log = outcome.job.place.path / LOG
        if log.is_file():
            console.print(f"        log: {log}", markup=False, soft_wrap=True)
    return 1 if outcomes else 0


def _study(words: list[str], jobs: int | None, console: Console) -> int:
    from tlx.report.terminal import show
    from tlx.sweep.study import conduct

    name = next(word for word in words if word.startswith("experiment=")).partition("=")[2]
    study = conduct(name, words, console, jobs)
    show(study.found, str(study.sweep.folder), console)
    return failures(study.sweep.failures, console)


def _is_study(words: list[str]) -> bool:
    name = next(word for word in words if word.startswith("experiment=")).partition("=")[2]
    path = find(EXPERIMENT, name)
    return path is not None and any(line.startswith("study:") for line in path.read_text(encoding="utf-8").splitlines())


def _jobs(words: list[str]) -> tuple[list[str], int | None]:
    if "--jobs" not in words:
        return words, None
    at = words.index("--jobs")
    value = words[at + 1] if at + 1 < len(words) else ""
    if not value.isdigit() or int(value) < 1:
        raise ConfigError([Problem("--jobs", "expected a number of trials at once", value)])
    return words[:at] + words[at + 2 :], int(value)
