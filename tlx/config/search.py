"""What a person can say about a search: where to look, by what, for how long, and what counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from tlx.config.fields import option


@dataclass
class Objective:
    """A metric of a finished trial, and which way is better."""

    metric: str = option("val/loss", "of the result of a trial")
    goal: str = option(help="which way is better", choices=("minimize", "maximize"))


@dataclass
class Pruning:
    """Ending trials early that do worse than others did at the same round (from one validation to the next)."""

    kind: str = option(
        help="median: worse than half of the others; asha, hyperband: successive halving (Li et al. 2018, 2020)",
        choices=("median", "asha", "hyperband"),
    )
    metric: str = option("val/loss", "of the result of a trial")
    goal: str = option(help="which way is better", choices=("minimize", "maximize"))
    patience: int = option(1, "rounds every trial may have")
    startup: int = option(4, "trials that are run to their ends before any is pruned (median)")


@dataclass
class Search:
    """A search over the settings of one trial; running it again goes on up to ``n_trials``."""

    space: dict[str, Any] = option(
        help="setting -> a list of choices, or {low, high} with log: true or step: 2; groups are settings too",
        factory=dict,
    )
    n_trials: int = option(20, "trials in all, failed and pruned ones included")
    sampler: str = option(
        help="tpe, gp, cmaes, qmc, random, grid, or nsga2 for several objectives",
        choices=("tpe", "gp", "cmaes", "qmc", "random", "grid", "nsga2"),
    )
    seed: int = option(0, "of the sampler")
    objectives: list[Objective] = option(help="what counts", factory=lambda: [Objective()])
    pruning: Pruning | None = option(None, "end trials early that do worse than others")
    storage: str | None = option(
        None,
        "null: a database in the search's folder; journal: a file there, for network file systems; or a database's URL",
    )
    max_failed: float = option(0.5, "stop when more than this share of the trials fails (after the first five)")
    question: str = option(MISSING, "what the search asks")
