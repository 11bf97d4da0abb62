"""The space of a search, case by case; what Optuna proposes lies in it."""

from __future__ import annotations

import optuna
import pytest

from tlx import compose
from tlx.config.errors import ConfigError
from tlx.config.schema import Trial
from tlx.config.search import Pruning, Search
from tlx.orchestration.search import space as spaces
from tlx.orchestration.search.scheduler import verify


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "empty"),
        ({"a": [1]}, "two choices"),
        ({"a": 3}, "a list of choices"),
        ({"a": {"low": 1}}, "numbers for low and high"),
        ({"a": {"low": 2, "high": 1}}, "below high"),
        ({"a": {"low": 0, "high": 1, "log": True}}, "above 0"),
        ({"a": {"low": 1, "high": 9, "log": True, "step": 2}}, "no steps"),
        ({"a": {"low": 1, "hihg": 9}}, "did you mean"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], problem: str) -> None:
    found, problems = spaces.read(given)
    assert not found
    assert any(problem in one.message for one in problems), problems


def test_proposals_lie_in_the_space() -> None:
    space, problems = spaces.read(
        {
            "rate": {"low": 1e-4, "high": 1e-1, "log": True},
            "batch": {"low": 8, "high": 64, "step": 8},
            "share": {"low": 0.0, "high": 1.0, "step": 0.25},
            "strategy": ["fine_tune", "lp_ft"],
            "sizes": [[1, 2], [3]],
            "clip": [None, 1.0],
        }
    )
    assert not problems
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        trial = study.ask()
        spaces.propose(trial, space)
        values = spaces.values(trial.params, space)
        assert 1e-4 <= values["rate"] <= 1e-1
        assert values["batch"] in range(8, 65, 8)
        assert isinstance(values["batch"], int)
        assert values["share"] in (0.0, 0.25, 0.5, 0.75, 1.0)
        assert values["strategy"] in ("fine_tune", "lp_ft")
        assert values["sizes"] in ([1, 2], [3])
        assert values["clip"] in (None, 1.0)


def test_a_grid_needs_steps() -> None:
    space, _ = spaces.read({"a": [1, 2], "b": {"low": 1, "high": 3}, "c": {"low": 0.0, "high": 1.0, "step": 0.5}})
    assert spaces.grid(space)[0] == {"a": ["1", "2"], "b": [1, 2, 3], "c": [0.0, 0.5, 1.0]}
    endless, _ = spaces.read({"d": {"low": 0.0, "high": 1.0}})
    assert "needs a step" in spaces.grid(endless)[1][0].message


@pytest.mark.parametrize(
    ("key", "moves"),
    [
        ("strategy", True),
        ("strategy.budget", True),
        ("strategy.phases.0.until", True),
        ("dataset.shots", True),
        ("strategy.lr", False),
        ("strategy.batch_size", False),
        ("dataset.augment", False),
    ],
)
def test_pruning_compares_rounds_of_equal_lengths(key: str, moves: bool) -> None:
    """Where the interval is found out, it is of the same epochs in all trials of a search that prunes."""
    trial = compose(
        ["backbone=pixels", "strategy=feature_extraction", "dataset=digits", "strategy.validate_every=auto"]
    )
    options = Search(question="?", space={key: ["a", "b"]}, pruning=Pruning())
    assert _refusals(trial, options) == (["strategy.validate_every"] if moves else [])
    trial.strategy.validate_every = "1 epochs"
    assert _refusals(trial, options) == []


def _refusals(trial: Trial, options: Search) -> list[str]:
    try:
        verify(trial, options)
    except ConfigError as error:
        return [problem.key for problem in error.problems]
    return []
