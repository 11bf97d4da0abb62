"""Before a sweep's first trial starts, every kind of trial in it has been built on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tlx.config.errors import ConfigError
from tlx.orchestration import sweep as sweeps
from tlx.orchestration.preflight import preflight

BASE = ["dataset=digits", "dataset.shots=4", "strategy.budget=4 steps", "tracking=none"]


@pytest.mark.slow
def test_nothing_runs_when_one_trial_cannot(folder: Path) -> None:
    words = ["backbone=narrow_resnet", "strategy=feature_extraction,prefix,top_k", *BASE]
    jobs = [sweeps.job(trial) for trial in sweeps.plan([*words, "strategy.phases.0.train=[head,'stages[99]']"])]
    with pytest.raises(ConfigError) as caught:
        sweeps.run("sweep", jobs, Console(quiet=True))
    assert {problem.key for problem in caught.value.problems} == {"strategy.phases.0.train", "strategy.peft.kind"}
    assert not list(folder.glob("runs/*/events.jsonl"))


@pytest.mark.slow
def test_what_can_run_is_let_through(folder: Path) -> None:
    preflight(sweeps.plan(["backbone=narrow_resnet", "strategy=chain_thaw,ulmfit", *BASE[:2], "seed=0,1"]))
