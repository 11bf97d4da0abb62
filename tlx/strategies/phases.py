"""A strategy resolved against a network: the list of phases a trial will run. Pure: no weights, no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlx.backbones.stages import HEAD, Stage
from tlx.config.amount import Amount
from tlx.config.errors import ConfigError, Problem
from tlx.strategies.options import Phase, Strategy
from tlx.strategies.selectors import select


@dataclass(frozen=True)
class PhasePlan:
    """One phase: what trains, for how many optimizer steps, and how it begins and ends."""

    name: str
    trainable: frozenset[str]
    steps: int | None  # null: what the budget leaves
    options: Phase

    def length(self, start: int, budget: int) -> int:
        """Optimizer steps, when the phase begins at ``start``."""
        return max(0, budget - start) if self.steps is None else self.steps


def budget_steps(strategy: Strategy, steps_per_epoch: int) -> int:
    """The whole run in optimizer steps."""
    return max(1, Amount.parse(strategy.budget).steps(steps_per_epoch=steps_per_epoch))


def validation_interval(strategy: Strategy, steps_per_epoch: int) -> int:
    """Optimizer steps between validations."""
    return max(1, Amount.parse(strategy.validate_every).steps(steps_per_epoch=steps_per_epoch))


def plan(strategy: Strategy, stages: Sequence[Stage], steps_per_epoch: int) -> list[PhasePlan]:
    """The phases of ``strategy`` on a network cut into ``stages``; raises :class:`ConfigError`."""
    budget = budget_steps(strategy, steps_per_epoch)
    phases: list[PhasePlan] = []
    share = 0.0  # of the budget, as percentages so far: borders are rounded, so that the parts add up
    for i, options in enumerate(strategy.phases):
        key = f"strategy.phases.{i}"
        chosen = select(options.train, options.freeze, stages, key)
        amount = Amount.parse(options.until)
        steps = 0 if options.solver == "logistic" else None
        if steps is None and amount.unit == "%":
            steps = round((share + amount.value) / 100 * budget) - round(share / 100 * budget)
            share += amount.value
        elif steps is None and amount.unit != "rest":
            steps = amount.steps(steps_per_epoch=steps_per_epoch)
        if steps is not None and steps < 1 and options.solver == "gradient":
            message = f"less than one step: the budget is {budget} steps"
            raise ConfigError([Problem(f"{key}.until", message, options.until)])
        if options.expand == "none":
            phases.append(PhasePlan(_title(chosen, stages), chosen, steps, options))
            continue
        if steps is None:
            steps = budget - sum(phase.steps or 0 for phase in phases)
        phases += _expand(options, chosen, stages, steps, key)
    planned = sum(phase.steps or 0 for phase in phases)
    open_end = any(phase.steps is None for phase in phases)
    if planned > budget or (planned == budget and open_end):
        message = f"the phases take {planned} steps and more, the budget is {budget}"
        raise ConfigError([Problem("strategy.budget", message, strategy.budget)])
    return phases


def _expand(options: Phase, base: frozenset[str], stages: Sequence[Stage], steps: int, key: str) -> list[PhasePlan]:
    """One phase per level, each adding the next shallower one less what is frozen; ``steps`` are shared equally."""
    frozen = select(options.freeze, [], stages, key) if options.freeze else frozenset()
    body = [set(stage.names) - frozen - base for stage in stages if stage.name != HEAD]
    body = [names for names in body if names]
    if not body:
        raise ConfigError([Problem(f"{key}.expand", "no stage is left to add", options.expand)])
    levels = [list(part) for part in np.array_split(np.arange(len(body)), min(options.levels or len(body), len(body)))]
    if steps < len(levels):
        message = f"{steps} steps are too few for {len(levels)} phases; raise strategy.budget or set {key}.levels"
        raise ConfigError([Problem(f"{key}.until", message, options.until)])
    borders = [round(i * steps / len(levels)) for i in range(len(levels) + 1)]
    phases = []
    trainable = base
    for i, level in enumerate(reversed(levels)):
        trainable = trainable | {name for j in level for name in body[j]}
        length = borders[i + 1] - borders[i]
        phases.append(PhasePlan(_title(trainable, stages), trainable, length, options))
    return phases


def _title(trainable: frozenset[str], stages: Sequence[Stage]) -> str:
    """What trains, in words: ``all``, ``head``, ``layer3.0 to head``, or the stages concerned."""
    whole = [stage.name for stage in stages if set(stage.names) <= trainable]
    part = [stage.name for stage in stages if set(stage.names) & trainable and stage.name not in whole]
    if part:
        return f"{sum(len(set(s.names) & trainable) for s in stages)} tensors in {len(whole) + len(part)} stages"
    names = [stage.name for stage in stages]
    if len(whole) == len(names):
        return "all"
    if len(whole) > 2 and names[-len(whole) :] == whole:
        return f"{whole[0]} to {whole[-1]}"
    return ", ".join(whole)
