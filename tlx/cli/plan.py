"""tlx plan [overrides]: show what would run; no weights are loaded, nothing is downloaded or trained.

tlx plan backbone=vit_small strategy=gradual_unfreezing dataset=imagefolder dataset.root=photos
tlx plan experiment=quickstart                       (a study: its trials, and which are done)
tlx plan -m backbone=resnet18,vit_tiny seed=0,1,2 dataset=digits
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tlx.config.compose import compose
from tlx.config.schema import Trial

if TYPE_CHECKING:
    from tlx.sweep.pool import Job
    from tlx.trial.forecast import Forecast

_WIDTH = 120


def run(words: list[str]) -> int:
    """The verb."""
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)  # columns cut short would say nothing
    many = [word for word in words if word not in ("-m", "--multirun")]
    if many != words:
        from tlx.sweep import run as sweeps

        _trials(sweeps.with_sources([sweeps.job(trial) for trial in sweeps.plan(many)]), "", console)
        return 0
    trial = compose(words)
    if trial.study is not None:
        from tlx.sweep import study

        jobs, later = study.plan(words)
        _trials(jobs, f"; up to {later} more follow from what tuning finds", console)
        return 0
    from tlx.trial.forecast import forecast
    from tlx.trial.machine import choose

    machine = choose(trial.hardware)
    _choices(trial, str(machine), console)
    _forecast(trial, forecast(trial), console)
    return 0


def _choices(trial: Trial, machine: str, console: Console) -> None:
    weights = "none (scratch)" if trial.strategy.init == "scratch" else trial.backbone.weights
    shots = f", {trial.dataset.shots} per class" if trial.dataset.shots is not None else ""
    lines = {
        "backbone": f"{trial.backbone.name}  weights: {weights}",
        "strategy": f"{trial.strategy.name}  {trial.strategy.budget}, batch {trial.strategy.batch_size}, "
        f"{trial.strategy.optimizer.name}, {trial.strategy.schedule.shape}, test the {trial.strategy.keep}",
        "dataset": f"{trial.dataset.name}{shots}  augment: {trial.dataset.augment}",
        "hardware": machine,
        "tracking": trial.tracking.kind,
        "seed": str(trial.seed),
    }
    for name, text in lines.items():
        console.print(f"{name:<9} {text}", markup=False, soft_wrap=True)


def _forecast(trial: Trial, found: Forecast, console: Console) -> None:
    info = found.info
    sizes = (
        f"{info.n_train} train, {info.n_val} val, {info.n_test} test" if info.n_train else "size unknown until fetched"
    )
    console.print(f"data      {len(info.classes)} classes, {sizes}\n", markup=False)
    table = _table("stage", "parameters", "share")
    for stage in found.stages:
        table.add_row(stage.name, f"{stage.count:,}", f"{stage.count / max(1, found.parameters):.1%}")
    console.print(table)
    console.print()
    table = _table("phase", "trains", "of all", "lr head", "lr backbone", "steps", "epochs", "fwd", "bwd", "memory")
    for number, phase in enumerate(found.phases, start=1):
        steps = phase.stop - phase.start
        table.add_row(
            f"{number} {phase.plan.name}",
            f"{phase.trained:,}",
            f"{phase.trained / max(1, found.parameters):.1%}",
            "-" if phase.lr_head is None else f"{phase.lr_head:g}",
            "-" if phase.lr_backbone is None else f"{phase.lr_backbone:g}",
            "exact"
            if phase.plan.options.solver == "logistic"
            else _end(phase.start, phase.stop, phase.plan.options.plateau is not None),
            "-" if not steps else f"{steps / found.steps_per_epoch:.1f}",
            _si(phase.forward),
            _si(phase.backward),
            f"{phase.memory / 2**20:,.0f} MiB",
        )
    console.print(table)
    console.print("\nfwd, bwd: FLOPs of one optimizer step; memory: weights, gradients, optimizer and activations.")


def _end(start: int, stop: int, plateau: bool) -> str:
    return f"{start}-{stop}{' or plateau' if plateau else ''}"


def _trials(jobs: list[Job], more: str, console: Console) -> None:
    table = _table("trial", "identity", "state")
    done = 0
    for job in jobs:
        finished = job.place.result() is not None
        done += finished
        table.add_row(job.place.name, job.place.identity[:12], "done" if finished else "to run")
    console.print(table)
    console.print(f"\n{len(jobs)} trials, {done} done{more}")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _si(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"
