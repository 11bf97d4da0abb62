"""``tlx.plan``: what would run, as the command ``tlx plan`` says it; nothing is loaded, downloaded or trained."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from rich.console import Console

from tlx.api.request import trial_of
from tlx.backbones.partition.stages import Stage
from tlx.composition.words import Words, written
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.orchestration import sweep as sweeps
from tlx.orchestration import trial_list
from tlx.orchestration.jobs import Job
from tlx.orchestration.study import conduct
from tlx.planning.tables import WIDTH, show_choices, show_costs
from tlx.planning.trial_plan import PhaseCost, TrialPlan, plan_trial
from tlx.reports.console import Terminal
from tlx.training.machine import choose_machine


class _Shown(ABC):
    """What is printed as the command prints it, and shown so in a notebook."""

    def __str__(self) -> str:
        stream = io.StringIO()
        self._show(Terminal(file=stream, width=WIDTH, force_terminal=False, force_jupyter=False, soft_wrap=False))
        return stream.getvalue().rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    @abstractmethod
    def _show(self, console: Console) -> None:
        """Print it."""


@dataclass(frozen=True, repr=False)
class Plan(_Shown):
    """A trial on paper.

    Args:
        trial: Its configuration.
        machine: What it would run on.
        costs: Stages, phases, and what each phase takes.
    """

    trial: Trial
    machine: str
    costs: TrialPlan

    @property
    def stages(self) -> list[Stage]:
        """The stages, shallow to deep; ``count`` is their parameters."""
        return self.costs.stages

    @property
    def phases(self) -> list[PhaseCost]:
        """The phases: steps, learning rates, parameters that train; FLOPs and bytes of a step; what is reused."""
        return self.costs.phases

    def _show(self, console: Console) -> None:
        show_choices(self.trial, self.machine, console)
        show_costs(self.costs, console)


@dataclass(frozen=True, repr=False)
class SweepPlan(_Shown):
    """The trials of a sweep or a study on paper.

    Args:
        jobs: Each trial with its place.
        later: How many more follow, at most, from what a study's tuning finds.
    """

    jobs: list[Job]
    later: int = 0

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[Trial]:
        return (job.trial for job in self.jobs)

    def _show(self, console: Console) -> None:
        trial_list.show(self.jobs, self.later, console)


def plan(overrides: Words | Trial = (), *, multirun: bool = False, **settings: Any) -> Plan | SweepPlan:
    """Say what would run.

    Args:
        overrides: A text of overrides, a list of them, keys and values, or a composed trial.
        multirun: Several values are a sweep, as in :func:`tlx.sweep`; a study is one without being told.
        settings: More keys and values.

    Raises:
        RequestError: Something that was asked for cannot be.

    Example:
        >>> print(tlx.plan("backbone=resnet18 strategy=gradual_unfreezing dataset=digits"))
    """
    if multirun:
        if isinstance(overrides, Trial):
            raise ConfigError([ConfigIssue("multirun", "a composed trial is one; give the settings that are varied")])
        words = written(overrides, settings, varies=True)
        return SweepPlan(sweeps.with_sources([sweeps.job(trial) for trial in sweeps.plan(words)]))
    trial = trial_of(overrides, settings)
    if trial.study is not None and not isinstance(overrides, Trial):
        return SweepPlan(*conduct.plan(written(overrides, settings)))
    return Plan(trial, str(choose_machine(trial.hardware)), plan_trial(trial))
