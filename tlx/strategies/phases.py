"""A strategy resolved against a network: the list of phases a trial will run. Pure: no weights, no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tlx.backbones.partition.stages import Stage
from tlx.config.amount import Amount
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.strategy import Phase, Strategy
from tlx.strategies.expand import trainable_sets
from tlx.strategies.selectors import matching, select


@dataclass(frozen=True)
class PhasePlan:
    """One phase: what trains, for how many optimizer steps, and how it begins and ends."""

    name: str
    trainable: frozenset[str]
    steps: int | None  # None: what the budget leaves
    options: Phase
    origin: int = 0  # its place in strategy.phases; an expanded phase shares it with its siblings
    number: int = 0  # its place in the plan
    fresh: frozenset[str] = frozenset()  # given new random weights on entry

    def length(self, start: int, budget: int) -> int:
        """Optimizer steps, when the phase begins at ``start``; none when the budget is spent."""
        left = max(0, budget - start)
        return left if self.steps is None else min(self.steps, left)


def budget_steps(strategy: Strategy, steps_per_epoch: int) -> int:
    """The whole run in optimizer steps."""
    return max(1, Amount.parse(strategy.budget).steps(steps_per_epoch=steps_per_epoch))


def decision_interval(strategy: Strategy, steps_per_epoch: int) -> int:
    """Optimizer steps between a controller's decisions; 0 without one."""
    if strategy.controller is None:
        return 0
    return max(1, Amount.parse(strategy.controller.every).steps(steps_per_epoch=steps_per_epoch))


def averaging_start(strategy: Strategy, steps_per_epoch: int) -> int:
    """The optimizer step from which SWA takes weights in."""
    assert strategy.averaging is not None
    start = Amount.parse(strategy.averaging.start)
    return start.steps(steps_per_epoch=steps_per_epoch, budget=budget_steps(strategy, steps_per_epoch))


def plan(strategy: Strategy, stages: Sequence[Stage], steps_per_epoch: int, seed: int = 0) -> list[PhasePlan]:
    """The phases of ``strategy`` on a network cut into ``stages``; raises :class:`ConfigError`.

    ``seed`` decides the halves of ``expand: {order: random_half}``.
    """
    budget = budget_steps(strategy, steps_per_epoch)
    phases: list[PhasePlan] = []
    lengths = written_lengths(strategy, budget, steps_per_epoch)
    for i, (options, steps) in enumerate(zip(strategy.phases, lengths, strict=True)):
        key = f"strategy.phases.{i}"
        if steps is not None and steps < 1 and options.solver == "gradient":
            message = f"less than one step: the budget is {budget} steps"
            raise ConfigError([ConfigIssue(f"{key}.until", message, options.until)])
        fresh = frozenset(name for one in options.reinit for name in matching(one, stages, f"{key}.reinit"))
        if options.expand is None:
            chosen = select(options.train, options.freeze, stages, key)
            phases.append(PhasePlan(title(chosen, stages), chosen, steps, options, i, fresh=fresh))
            continue
        if steps is None:
            steps = budget - sum(phase.steps or 0 for phase in phases)
        if steps < 1:
            message = f"nothing of the budget, {budget} steps, is left for it"
            raise ConfigError([ConfigIssue(f"{key}.until", message, options.until)])
        sets = trainable_sets(options, stages, round(steps / steps_per_epoch), seed, key)
        borders = [round(j * steps / len(sets)) for j in range(len(sets) + 1)]
        if steps < len(sets):
            message = f"{steps} steps are too few for {len(sets)} phases; raise strategy.budget or set expand.levels"
            raise ConfigError([ConfigIssue(f"{key}.until", message, options.until)])
        for chosen, before, after in zip(sets, borders, borders[1:], strict=False):
            phases.append(PhasePlan(title(chosen, stages), chosen, after - before, options, i, fresh=fresh))
            fresh = frozenset()
    planned = sum(phase.steps or 0 for phase in phases)
    open_end = any(phase.steps is None for phase in phases)
    if planned > budget or (planned == budget and open_end):
        message = f"the phases take {planned} steps and more, the budget is {budget}"
        raise ConfigError([ConfigIssue("strategy.budget", message, strategy.budget)])
    return [replace(phase, number=number) for number, phase in enumerate(phases)]


def written_lengths(strategy: Strategy, budget: int, steps_per_epoch: int) -> list[int | None]:
    """Optimizer steps of each of ``strategy.phases``; None for a last one that takes what is left when it begins."""
    lengths: list[int | None] = []
    share = 0.0  # of the budget, as percentages so far: borders are rounded, so that the parts add up
    for options in strategy.phases:
        amount = Amount.parse(options.until)
        if options.solver != "gradient":
            lengths.append(0)
        elif amount.unit == "%":
            lengths.append(round((share + amount.value) / 100 * budget) - round(share / 100 * budget))
            share += amount.value
        else:
            lengths.append(None if amount.unit == "rest" else amount.steps(steps_per_epoch=steps_per_epoch))
    if None in lengths[:-1]:  # phases follow that have a length of their own
        lengths[lengths.index(None)] = max(0, budget - sum(length or 0 for length in lengths))
    return lengths


def title(chosen: frozenset[str], stages: Sequence[Stage]) -> str:
    """What trains, in words: ``all``, ``head``, ``layer3.0 to head``, or the stages concerned."""
    whole = [stage.name for stage in stages if set(stage.names) <= chosen]
    part = [stage.name for stage in stages if set(stage.names) & chosen and stage.name not in whole]
    if part:
        return f"{sum(len(set(s.names) & chosen) for s in stages)} tensors in {len(whole) + len(part)} stages"
    names = [stage.name for stage in stages]
    if len(whole) == len(names):
        return "all"
    if len(whole) > 2 and names[-len(whole) :] == whole:
        return f"{whole[0]} to {whole[-1]}"
    if len(whole) > 4:
        return f"{len(whole)} of {len(names)} stages"
    return ", ".join(whole)
