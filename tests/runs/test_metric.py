"""Which way of a metric is better is asked of the metric, everywhere: a metric and its mirror image choose alike."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from tlx.config.strategy import Phase, Plateau, Strategy, Threshold
from tlx.config.strategy_parts import Averaging
from tlx.config.study import Arm, Study
from tlx.orchestration.progress import SweepProgress
from tlx.orchestration.study.tuning import best
from tlx.reports import tables as written
from tlx.reports.sentences import sentence
from tlx.reports.study_record import StudyRecord, Tried
from tlx.reports.study_results import StudyResults, gather
from tlx.runs.metric import Metric, metric_in
from tlx.runs.result import Result
from tlx.strategies.stopping import stoppers
from tlx.training.callbacks.best_weights import BestWeights
from tlx.training.callbacks.context import Context
from tlx.training.state import TrainingState

WER = Metric("wer", "word error rate", "min", percent=True)
RMSE = Metric("rmse", "root mean squared error", "min")
R2 = Metric("r2", "coefficient of determination", "max")
values = st.integers(-64, 64).map(lambda number: number / 64)  # so that equal ones are common, and sums exact
tables = st.lists(values, min_size=1, max_size=12)
NOWHERE = Context(nn.Identity(), [], [], TrainingState(), dict, lambda step: 1.0, steps_per_epoch=1)
metrics = st.sampled_from([WER, RMSE, R2])


def mirrored(metric: Metric) -> Metric:
    """The one of which less is better where of this more is."""
    return replace(metric, goal="min" if metric.goal == "max" else "max")


def result(metric: Metric, value: float | None, name: str = "one") -> Result:
    """A finished trial that was validated and tested with this value."""
    found = {f"val/{metric.name}": value, f"test/{metric.name}": value, "val/loss": 1.0}
    return Result(name, name, name, found, 20, 100, 50, 1.5, 2.0, metric)


@given(metrics, tables)
def test_the_best_and_the_soup(metric: Metric, table: list[float]) -> None:
    def kept(one: Metric, sign: float) -> list[tuple[float, float | None]]:
        found = BestWeights(Strategy(keep="best", averaging=Averaging(kind="greedy_soup", size=3)), one)
        for number, value in enumerate(table):
            found.on_validation(NOWHERE, {one.name: sign * value, "number": float(number)})
        kept = [found.best, found.best_of_phase, *found.top_k.kept]
        return [(sign * (best.value or 0.0), best.values["number"]) for best in kept]

    here = kept(metric, 1.0)
    assert here == kept(mirrored(metric), -1.0)
    assert here[0][0] == (max if metric.goal == "max" else min)(table)


@given(metrics, tables, values, st.sampled_from([0.0, 1 / 64]))
def test_what_ends_a_phase(metric: Metric, table: list[float], wanted: float, min_delta: float) -> None:
    def ends(one: Metric, sign: float) -> list[list[bool]]:
        phase = Phase(plateau=Plateau(patience=2, min_delta=min_delta), threshold=Threshold(value=sign * wanted))
        found = stoppers(phase, {one.name: one}, one.name)
        return [[stopper.is_over({one.name: sign * value}) for value in table] for stopper in found]

    here = ends(metric, 1.0)
    assert here == ends(mirrored(metric), -1.0)
    assert here[1] == [value >= wanted if metric.goal == "max" else value <= wanted for value in table]


@given(metrics, st.lists(st.one_of(st.none(), values), min_size=1, max_size=12))
def test_what_is_tuned_by_the_score(metric: Metric, table: list[float | None]) -> None:
    def chosen(one: Metric, sign: float) -> Any:
        scores = [None if value is None else sign * value for value in table]
        tried = [Tried({"lr": place}, 0, result(one, score)) for place, score in enumerate(scores)]
        found = best(tried, {"lr": list(range(len(table)))}, "score")
        return None if found is None else found["lr"]

    here = chosen(metric, 1.0)
    assert here == chosen(mirrored(metric), -1.0)
    known = [value for value in table if value is not None]
    assert (None if here is None else table[here]) == ((max if metric.goal == "max" else min)(known) if known else None)


@given(metrics, tables)
def test_the_best_so_far(metric: Metric, table: list[float]) -> None:
    def best(one: Metric, sign: float) -> str:
        progress = SweepProgress(Console(file=io.StringIO()), "some", len(table))
        for number, value in enumerate(table):
            progress.started(str(number), str(number), Path("nowhere"))
            progress.ended(str(number), "", result(one, sign * value))
        assert progress.best is not None
        return progress.best[1].rpartition("(")[2]

    here = best(metric, 1.0)
    assert here == best(mirrored(metric), -1.0)
    assert table[int(here[:-1])] == (max if metric.goal == "max" else min)(table)


def study(metric: Metric, arms: dict[str, list[float]], target: float = 0.5) -> StudyResults:
    """The findings of a study whose arms were tested with these values, one for each seed."""
    seeds = list(range(len(next(iter(arms.values())))))
    asked = Study("Which?", {arm: Arm() for arm in arms}, {}, {}, "dataset.shots", [1], seeds, target=target)
    asked.control = "control"
    cells: dict[tuple[str, Any], dict[int, Result]] = {
        (arm, 1): {seed: result(metric, value, f"{arm}-{seed}") for seed, value in enumerate(found)}
        for arm, found in arms.items()
    }
    with TemporaryDirectory() as nowhere:
        return gather(StudyRecord("toy", asked, Path(nowhere), "tlx sweep experiment=toy", cells))


@settings(max_examples=50)
@given(metrics, st.lists(st.tuples(values, values, values), min_size=2, max_size=5))
def test_the_words_of_a_report(metric: Metric, seeds: list[tuple[float, float, float]]) -> None:
    arms = {arm: [row[i] for row in seeds] for i, arm in enumerate(("control", "one", "other"))}
    here = study(metric, arms)
    there = study(mirrored(metric), {arm: [-value for value in found] for arm, found in arms.items()})
    for pair, mirror in zip(here.gains, there.gains, strict=True):
        assert here.verdict(pair) == there.verdict(mirror)
        assert pair.improvement(here.metric) == pytest.approx(mirror.improvement(there.metric))
        if (word := here.verdict(pair)) != "open":
            assert (word == "better") == (metric.sign * pair.comparison.difference.mean > 0)
            assert f" {word} than control" in sentence(here, pair)
    assert here.best(1) == there.best(1)
    means = {arm: sum(found) for arm, found in arms.items()}
    if (best := here.best(1)) is not None:
        assert means[best] == (max if metric.goal == "max" else min)(means.values())


@pytest.mark.parametrize(
    ("metric", "score", "gain"),
    [(WER, "20.0", "-10.0 points"), (RMSE, "0.2", "-0.1")],
    ids=lambda value: value.name if isinstance(value, Metric) else "",
)
def test_only_shares_are_written_in_percent(metric: Metric, score: str, gain: str) -> None:
    found = study(metric, {"control": [0.3, 0.3], "one": [0.2, 0.2]})
    assert written.rows(found)[1][1].startswith(score)
    assert f"{gain} on each of 2 seeds" in sentence(found, found.gains[0])
    assert "less is better" in written.markdown(found)


def test_trials_compared_by_another_metric_are_named() -> None:
    asked = Study("Which?", {"control": Arm()}, {}, {}, "dataset.shots", [1], [0, 1])
    cells: dict[tuple[str, Any], dict[int, Result]] = {
        ("control", 1): {0: result(WER, 0.5, "first"), 1: result(RMSE, 0.5, "second")}
    }
    with TemporaryDirectory() as nowhere:
        found = gather(StudyRecord("toy", asked, Path(nowhere), "tlx sweep experiment=toy", cells))
    assert found.failures == [("second", "is compared by rmse, the others by wer")]
    assert [run.seed for run in found.cells["control", 1].runs] == [0]


@pytest.mark.parametrize("row", [None, {}, {"name": "wer"}, {"name": "a", "title": "b", "goal": "most"}, "wer"])
def test_what_describes_no_metric(row: Any) -> None:
    assert metric_in(row) is None
