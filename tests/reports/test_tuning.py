"""What tuning tried along the way, and where the best lies at the edge."""

from __future__ import annotations

import pytest

from tlx.reports import tuning
from tlx.reports.study_record import Tried
from tlx.runs.metric import Metric
from tlx.runs.result import Result

ACCURACY = Metric("acc", "accuracy", "max", percent=True)


def result(name: str, loss: float, cpu: float = 1.0) -> Result:
    return Result(name, name, name, {"val/loss": loss}, 1, 1, 1, cpu, 1.0, ACCURACY)


@pytest.mark.parametrize(
    ("values", "chosen", "said"),
    [
        ([1e-4, 1e-3, 1e-2], 1e-3, ""),
        ([1e-4, 1e-3, 1e-2], 1e-2, "try 0.1 as well"),
        ([1e-2, 1e-4, 1e-3], 1e-4, "try 1e-05 as well"),
        ([1, 2, 3], 3, "try 4 as well"),
        ([0.0, 0.5, 1.0], 0.0, "try -0.5 as well"),
        ([8, 16], 8, "try 4 as well"),
        (["adam", "sgd"], "sgd", ""),
        ([True, False], True, ""),
        ([0.1], 0.1, ""),
    ],
)
def test_the_edge_of_a_grid_is_named_with_what_to_try(values: list[object], chosen: object, said: str) -> None:
    lines = tuning.edges({"strategy.lr": values}, {"strategy.lr": chosen})
    assert bool(lines) == bool(said)
    assert all(said in line and "strategy.lr" in line for line in lines)


def test_the_best_so_far_is_of_means_over_the_seeds_that_tune() -> None:
    losses = {0.1: (1.0, 3.0), 0.2: (1.0, 1.0), 0.3: (0.5, 4.0)}
    tried = [
        Tried({"lr": lr}, seed, result(f"{lr}-{seed}", loss))
        for lr, pair in losses.items()
        for seed, loss in enumerate(pair)
    ]
    found = tuning.finding(tried, {"lr": [0.1, 0.2, 0.3]}, [{"lr": 0.2}], ("val/loss", -1.0), frozenset({"0.2-0"}))
    assert found.best_so_far == (2.0, 1.0, 1.0)
    assert (found.tried, found.candidates, found.failed, found.edges) == (6, 3, 0, ())
    assert found.cpu == 5.0  # one of them is reported, and counted there


def test_a_candidate_that_failed_is_counted_and_never_the_best() -> None:
    tried = [Tried({"lr": 1}, 0, None), Tried({"lr": 2}, 0, result("a", 0.7))]
    found = tuning.finding(tried, {"lr": [1, 2]}, [{"lr": 2}], ("val/loss", -1.0), frozenset())
    assert (found.failed, found.candidates) == (1, 2)
    assert found.best_so_far[-1] == 0.7
