"""What a person can say about a search: where to look, by what, for how long, and what counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import choice


@dataclass
class Objective:
    """A metric of a finished trial, and which way is better."""

    metric: str = "val/loss"
    goal: str = choice("minimize", "maximize")


@dataclass
class Pruning:
    """Ending trials early that do worse than others did at the same round (from one validation to the next)."""

    # median: worse than half of the others; asha, hyperband: successive halving (Li et al. 2018, 2020)
    kind: str = choice("median", "asha", "hyperband")
    metric: str = "val/loss"
    goal: str = choice("minimize", "maximize")
    # rounds every trial may have
    patience: int = 1
    # trials that are run to their ends before any is pruned (median)
    startup: int = 4


@dataclass
class Search:
    """A search over the settings of one trial; running it again goes on up to ``n_trials``."""

    # setting -> a list of choices, or {low, high} with log: true or step: 2; groups are settings too
    space: dict[str, Any] = field(default_factory=dict)
    # trials in all, failed and pruned ones included
    n_trials: int = 20
    # tpe, gp, cmaes, qmc, random, grid, or nsga2 for several objectives
    sampler: str = choice("tpe", "gp", "cmaes", "qmc", "random", "grid", "nsga2")
    seed: int = 0
    objectives: list[Objective] = field(default_factory=lambda: [Objective()])
    pruning: Pruning | None = None
    # null: a database in the search's folder; journal: a file there, for network file systems; or a database's URL
    storage: str | None = None
    # stop when more than this share of the trials fails (after the first five)
    max_failed: float = 0.5
    question: str = MISSING
