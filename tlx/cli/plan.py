"""tlx plan [overrides]: show what would run; no weights are loaded, nothing is downloaded or trained.

tlx plan backbone=vit_small strategy=gradual_unfreezing dataset=imagefolder dataset.root=photos
tlx plan experiment=quickstart                       (a study: its trials, and which are done)
tlx plan experiment=quickstart --json                (each trial as data: [{"identity", "name", "config"}, ...])
tlx plan -m backbone=resnet18,vit_tiny seed=0,1,2 dataset=digits
tlx plan backbone=resnet18 strategy=chain_thaw dataset=digits --figure [schedule.svg]
                                                     (also draws which stage trains when, at what learning rate)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tlx.cli.arguments import Arguments
from tlx.cli.output import Terminal
from tlx.composition.compose import compose
from tlx.composition.multirun import outline
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.files import durable, foreign
from tlx.runs.describe import beginning

if TYPE_CHECKING:
    from tlx.orchestration.jobs import Job
    from tlx.planning.trial_plan import PhaseCost, TrialPlan

_WIDTH = 120
_FIGURE = "--figure"
HEAD = "head"


def run(words: list[str]) -> int:
    """The verb."""
    console = Terminal(soft_wrap=False)
    console.width = max(console.width, _WIDTH)  # columns cut short would say nothing
    words, figure = _figure(words)
    arguments = Arguments()
    arguments.flag("-m", "--multirun")
    arguments.flag("--json")
    asked = arguments.take(words)
    words = asked.words
    if asked.json:
        return _as_json(words, figure)
    if asked.multirun:
        if figure is not None:
            raise ConfigError(
                [ConfigIssue(_FIGURE, "draws one trial, not a sweep; leave out -m and choose one", figure)]
            )
        from tlx.orchestration import sweep as sweeps

        _trials(sweeps.with_sources([sweeps.job(trial) for trial in sweeps.plan(words)]), "", console)
        return 0
    trial = compose(words)
    if trial.study is not None:
        if figure is not None:
            message = "draws one trial, and this is a study; write tlx plan backbone=... strategy=... --figure"
            raise ConfigError([ConfigIssue(_FIGURE, message, figure)])
        from tlx.orchestration import study

        jobs, later = study.plan(words)
        _trials(jobs, f"; up to {later} more follow from what tuning finds" if later else "", console)
        return 0
    if trial.search is not None:
        message = f"a search of {trial.search.n_trials} trials over {', '.join(trial.search.space)}; one of them:\n"
        console.print(message, markup=False, soft_wrap=True)
    if figure is not None:
        _check(figure)
    from tlx.planning.trial_plan import plan_trial
    from tlx.training.machine import choose_machine

    machine = choose_machine(trial.hardware)
    _choices(trial, str(machine), console)
    found = plan_trial(trial)
    _show_plan(trial, found, console)
    if figure is not None:
        from tlx.planning import schedule

        svg = schedule.of_plan(found, trial.strategy, f"{trial.backbone.name} on {trial.dataset.name}")
        durable.write(figure, svg)
        console.print(f"\nfigure    {figure}", markup=False, soft_wrap=True)
    return 0


def _as_json(words: list[str], figure: Path | None) -> int:
    """Print what would run as data, a study's opening trials and a sweep's alike; one trial is a list of one."""
    from tlx.orchestration import sweep as sweeps
    from tlx.orchestration.study import StudyScheduler

    if figure is not None:
        raise ConfigError([ConfigIssue(_FIGURE, "draws, and --json prints; give one of the two", figure)])
    about = outline(words)
    jobs = StudyScheduler(about.name, words).initial_jobs() if about.kind == "study" else []
    jobs = jobs or [sweeps.job(trial) for trial in sweeps.plan(words)]
    rows = [
        {"identity": one.place.identity, "name": one.label, "config": asdict(one.trial)}
        for one in sweeps.with_sources(jobs)
    ]
    print(json.dumps(rows, indent=2, allow_nan=False))
    return 0


def _figure(words: list[str]) -> tuple[list[str], Path | None]:
    """The overrides, and where a figure goes if one is asked for."""
    at = next((i for i, word in enumerate(words) if word.partition("=")[0] == _FIGURE), None)
    if at is None:
        return words, None
    name, rest = words[at].partition("=")[2], words[at + 1 :]
    if not name and rest and "=" not in rest[0] and not rest[0].startswith(("-", "~")):  # else it is an override
        name, rest = rest[0], rest[1:]
    return words[:at] + rest, Path(name or "schedule.svg")


def _check(figure: Path) -> None:
    """Refuse before any work to write over what was not made here."""
    from tlx.reports.timeline import MARK

    message = ""
    if figure.suffix != ".svg":
        message = f"the figure is an SVG; write {_FIGURE} {figure.with_suffix('.svg')}"
    elif not figure.parent.is_dir():
        message = f"there is no such folder; first: mkdir -p {figure.parent}"
    elif figure.exists() and not (_begins(figure, MARK)):
        other = figure.with_name(f"{figure.stem}-schedule.svg")
        message = f"is there already and is no figure of tlx plan; it was left as it is: write {_FIGURE} {other}"
    if message:
        raise ConfigError([ConfigIssue(_FIGURE, message, figure)])


def _begins(figure: Path, mark: str) -> bool:
    try:
        with foreign.reading(figure) as stream:
            return mark.encode() in stream.read(2000)
    except (FileNotFoundError, foreign.Unreadable):
        return False


def _choices(trial: Trial, machine: str, console: Console) -> None:
    weights = "none (scratch)" if trial.strategy.init == "scratch" else beginning(trial)
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


def _show_plan(trial: Trial, found: TrialPlan, console: Console) -> None:
    counts = found.schema.counts
    sizes = ", ".join(f"{counts[name]} {name}" for name in ("train", "val", "test") if name in counts)
    what = "; ".join(column.summary for column in found.schema.targets.values())
    console.print(f"data      {what}, {sizes or 'size unknown until fetched'}\n", markup=False)
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
            _span(rate for stage, rate in phase.rates.items() if stage == HEAD),
            _span(rate for stage, rate in phase.rates.items() if stage != HEAD),
            "exact" if phase.plan.options.solver != "gradient" else _end(phase),
            "-" if not steps else f"{steps / found.steps_per_epoch:.1f}",
            _si(phase.forward),
            _si(phase.backward),
            "-" if math.isnan(phase.memory) else f"{phase.memory / 2**20:,.0f} MiB",
        )
    console.print(table)
    console.print("\nfwd, bwd: FLOPs of one optimizer step; memory: weights, gradients, optimizer and activations.")
    console.print()
    table = _table("reuse", "computed once, up to", "kept", "FLOPs saved")
    for number, phase in enumerate(found.phases, start=1):
        saves = phase.saving
        if isinstance(saves, str):
            table.add_row(f"{number} {phase.plan.name}", f"nothing: {saves}", "-", "-")
        else:
            table.add_row(
                f"{number} {phase.plan.name}", saves.sites, f"{saves.bytes / 1e6:,.1f} MB", f"{saves.share:.0%}"
            )
    console.print(table)


def _end(phase: PhaseCost) -> str:
    options = phase.plan.options
    early = [name for name in ("plateau", "threshold") if getattr(options, name) is not None]
    return " or ".join([f"{phase.start}-{phase.stop}", *early])


def _span(rates: Iterable[float]) -> str:
    """One rate, or the least and the largest; a dash without any."""
    found = sorted(set(rates))
    return " .. ".join(f"{rate:.3g}" for rate in (found if len(found) < 3 else [found[0], found[-1]])) or "-"


def _trials(jobs: list[Job], more: str, console: Console) -> None:
    table = _table("trial", "identity", "state")
    done = 0
    for job in jobs:
        finished = job.place.result() is not None
        done += finished
        table.add_row(job.label, job.place.identity[:12], "done" if finished else "to run")
    console.print(table)
    console.print(f"\n{len(jobs)} trials, {done} done{more}")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _si(value: float) -> str:
    if math.isnan(value):
        return "-"
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"
