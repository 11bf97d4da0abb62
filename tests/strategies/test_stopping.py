"""Early stopping is Lightning's own, call by call; only an equal value is good enough for a threshold here."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.trainer.states import TrainerFn

from tlx.config import strategy
from tlx.config.strategy import Phase
from tlx.runs.metric import Metric
from tlx.strategies.stopping import Plateau, Stopper, Threshold, stoppers

SEEDS = range(12)


class Lightning:
    """The callback, on a trainer that is no more than what it looks at."""

    def __init__(self, mode: str, **arguments: Any) -> None:
        self.callback = EarlyStopping("metric", mode=mode, check_finite=True, **arguments)
        self.trainer: Any = SimpleNamespace(
            state=SimpleNamespace(fn=TrainerFn.FITTING),
            sanity_checking=False,
            fast_dev_run=False,
            should_stop=False,
            world_size=1,
            current_epoch=0,
            callback_metrics={},
            strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision),
        )

    def is_over(self, value: float) -> bool:
        self.trainer.callback_metrics = {"metric": torch.tensor(value, dtype=torch.float64)}
        self.callback.on_validation_end(self.trainer, None)  # type: ignore[arg-type]
        return bool(self.trainer.should_stop)


def walk(seed: int, mode: str, length: int = 60) -> list[float]:
    """A metric that gets better and stalls, in 64ths, so that sums are exact and equal values common."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-3, 5, length) * (rng.random(length) < 0.5)
    return [float(value) / 64 * (1 if mode == "max" else -1) for value in np.cumsum(steps)]


def metric(goal: str) -> Metric:
    """One of this direction."""
    return Metric("metric", "metric", "max" if goal == "max" else "min")


def ends(stopper: Stopper, values: list[float]) -> list[bool]:
    return [stopper.is_over({stopper.name: value, "another": math.nan}) for value in values]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [1, 3, 7])
@pytest.mark.parametrize("min_delta", [0.0, 2 / 64, 1 / 128])
def test_a_plateau_ends_where_lightning_stops(mode: str, patience: int, min_delta: float) -> None:
    stopped = 0
    for seed in SEEDS:
        theirs = Lightning(mode, patience=patience, min_delta=min_delta)
        ours = Plateau(metric(mode), patience, min_delta)
        for value in walk(seed, mode):
            over = ours.is_over({"metric": value})
            assert over == theirs.is_over(value)
            assert ours.waited == theirs.callback.wait_count
            assert ours.sign * ours.best == float(theirs.callback.best_score)
            if over:
                stopped += 1
                break
    assert stopped > 0


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("value", [1 / 128, 33 / 128, 65 / 128])
def test_a_threshold_ends_where_lightning_stops(mode: str, value: float) -> None:
    """Values are whole 64ths, so never equal to it."""
    value = value if mode == "max" else -value
    for seed in SEEDS:
        theirs = Lightning(mode, patience=10**6, stopping_threshold=value)
        ours = Threshold(metric(mode), value)
        values = walk(seed, mode)
        expected = [theirs.is_over(one) for one in values]
        first = expected.index(True) if any(expected) else len(values)
        assert ends(ours, values[: first + 1]) == expected[: first + 1]


@pytest.mark.parametrize(("mode", "short"), [("max", 0.6999999999999999), ("min", 0.7000000000000002)])
def test_a_threshold_is_reached_by_an_equal_value(mode: str, short: float) -> None:
    assert ends(Threshold(metric(mode), 0.7), [short, 0.7]) == [False, True]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_ends_the_phase(mode: str, value: float) -> None:
    for ours, theirs in (
        (Plateau(metric(mode), 9, 0.0), Lightning(mode, patience=9)),
        (Threshold(metric(mode), 0.0), Lightning(mode, patience=9, stopping_threshold=0.0)),
    ):
        good = 1.0 if mode == "min" else -1.0
        assert ends(ours, [good, value]) == [theirs.is_over(good), theirs.is_over(value)] == [False, True]


def test_an_undefined_value_is_passed_over() -> None:
    ours = Plateau(Metric("auroc", "AUROC", "max"), 2, 0.0)
    values = [0.5, None, None, None, 0.4, None, 0.6, 0.6, None, 0.1]
    assert [ours.is_over({"auroc": value}) for value in values] == [False] * 9 + [True]
    assert not Threshold(Metric("auroc", "AUROC", "max"), -1.0).is_over({"auroc": None})


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("at", [0, 1, 5, 11])
def test_it_goes_on_from_its_state(mode: str, at: int) -> None:
    for seed in SEEDS:
        values = walk(seed, mode, 30)
        for make in (lambda: Plateau(metric(mode), 4, 1 / 64), lambda: Threshold(metric(mode), 0.5)):
            straight, first, second = make(), make(), make()
            expected = ends(straight, values)
            before = ends(first, values[:at])
            state = first.state()
            assert all(type(value) is float for value in state)
            second.load(state)
            assert before + ends(second, values[at:]) == expected


def test_a_phase_has_those_it_names() -> None:
    metrics = {"acc": Metric("acc", "accuracy", "max"), "loss": Metric("loss", "loss", "min")}
    assert stoppers(Phase(train=["head"]), metrics, "acc") == []
    plateau, threshold = strategy.Plateau(patience=2, min_delta=0.5), strategy.Threshold(value=3.0, monitor="loss")
    one, other = stoppers(Phase(train=["head"], plateau=plateau, threshold=threshold), metrics, "acc")
    assert isinstance(one, Plateau)
    assert (one.name, one.sign, one.patience, one.min_delta) == ("acc", 1.0, 2, 0.5)
    assert isinstance(other, Threshold)
    assert (other.name, ends(other, [3.5, 3.0, 2.0])) == ("loss", [False, True, True])
