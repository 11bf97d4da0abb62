"""A plan as people read it: what was chosen, and tables of stages, phases and what is computed once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tlx.config.augmentation import views_said
from tlx.config.schema import Trial
from tlx.files.printable import printable
from tlx.runs.describe import beginning

if TYPE_CHECKING:  # torch: choices are shown before it is imported
    from tlx.planning.trial_plan import PhaseCost, TrialPlan

WIDTH = 120  # columns cut short would say nothing
HEAD = "head"


def show_choices(trial: Trial, machine: str, console: Console) -> None:
    """Print what a trial is made of; ``machine`` says what it runs on."""
    if trial.search is not None:
        message = f"a search of {trial.search.n_trials} trials over {', '.join(trial.search.space)}; one of them:\n"
        console.print(message, markup=False, soft_wrap=True)
    weights = "none (scratch)" if trial.strategy.init == "scratch" else beginning(trial)
    shots = f", {trial.dataset.shots} per class" if trial.dataset.shots is not None else ""
    precision = trial.reuse.precision
    lines = {
        "backbone": f"{trial.backbone.name}  weights: {weights}",
        "strategy": f"{trial.strategy.name}  {trial.strategy.budget}, batch {trial.strategy.batch_size}, "
        f"{trial.strategy.optimizer.name}, {trial.strategy.schedule.shape}, test the {trial.strategy.keep}",
        "dataset": f"{trial.dataset.name}{shots}  augment: {trial.dataset.augment}",
        "hardware": machine,
        **({"features": f"{precision}, and the head 32-true (reuse.precision)"} if precision is not None else {}),
        "tracking": trial.tracking.kind,
        "seed": str(trial.seed),
    }
    if trial.dataset.test_augment:
        lines["test"] = views_said(trial.dataset.test_augment)
    for name, text in lines.items():
        console.print(f"{name:<9} {text}", markup=False, soft_wrap=True)


def show_costs(found: TrialPlan, console: Console) -> None:
    """Print the stages of a plan, its phases with their costs, and what is computed once."""
    counts = found.schema.counts
    sizes = ", ".join(f"{counts[name]} {name}" for name in ("train", "val", "test") if name in counts)
    what = "; ".join(column.summary for column in found.schema.targets.values())
    console.print(f"data      {what}, {sizes or 'size unknown until fetched'}", markup=False)
    for note in found.notes:
        console.print(f"          {printable(note)}", markup=False, soft_wrap=True)
    for line in found.inputs:
        console.print(f"input     {line}", markup=False, soft_wrap=True)
    if found.sampling is not None:
        console.print(f"sampler   {found.sampling}", markup=False, soft_wrap=True)
    for number, line in enumerate(_validations(found)):
        console.print(f"{'' if number else 'validates':<9} {line}", markup=False, soft_wrap=True)
    console.print()
    shown = table("stage", "parameters", "share")
    for stage in found.stages:
        shown.add_row(stage.name, f"{stage.count:,}", f"{stage.count / max(1, found.parameters):.1%}")
    console.print(shown)
    console.print()
    shown = table("phase", "trains", "of all", "lr head", "lr backbone", "steps", "epochs", "fwd", "bwd", "memory")
    for number, phase in enumerate(found.phases, start=1):
        steps = phase.stop - phase.start
        shown.add_row(
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
    console.print(shown)
    console.print("\nfwd, bwd: FLOPs of one optimizer step; memory: weights, gradients, optimizer and activations.")
    console.print()
    shown = table("reuse", "computed once, up to", "kept", "FLOPs saved")
    for number, phase in enumerate(found.phases, start=1):
        saves = phase.saving
        if isinstance(saves, str):
            shown.add_row(f"{number} {phase.plan.name}", f"nothing: {saves}", "-", "-")
        else:
            shown.add_row(
                f"{number} {phase.plan.name}", saves.sites, f"{saves.bytes / 1e6:,.1f} MB", f"{saves.share:.0%}"
            )
    console.print(shown)


def _validations(found: TrialPlan) -> list[str]:
    """How often validation looks at the trial, and its share of the work, where numbers of examples are known."""
    if "train" not in found.schema.counts:
        return ["how often, and at what share of the work, is known once the data are fetched"]
    return found.validations.lines


def table(first: str, *others: str) -> Table:
    """Make a table of names and numbers."""
    found = Table(box=None, pad_edge=False)
    found.add_column(first, no_wrap=True)
    for title in others:
        found.add_column(title, justify="right", no_wrap=True)
    return found


def _end(phase: PhaseCost) -> str:
    options = phase.plan.options
    early = [name for name in ("plateau", "threshold") if getattr(options, name) is not None]
    return " or ".join([f"{phase.start}-{phase.stop}", *early])


def _span(rates: Iterable[float]) -> str:
    """One rate, or the least and the largest; a dash without any."""
    found = sorted(set(rates))
    return " .. ".join(f"{rate:.3g}" for rate in (found if len(found) < 3 else [found[0], found[-1]])) or "-"


def _si(value: float) -> str:
    if math.isnan(value):
        return "-"
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"
