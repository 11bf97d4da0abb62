"""What a study's report says: of differences that do not vary, and of many comparisons at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from tests.statistics.counts import tied
from tlx.config.study import Arm, Study
from tlx.reports import sentences, tables
from tlx.reports.study_record import StudyRecord
from tlx.reports.study_results import StudyResults, gather
from tlx.runs.metric import Metric
from tlx.runs.result import Result

ACCURACY = Metric("acc", "accuracy", "max", percent=True)
ERROR = Metric("rmse", "root mean square error", "min")


def results(
    scores: Mapping[str, Mapping[int, float]], metric: Metric = ACCURACY, margin: float | None = None
) -> StudyResults:
    """The report's numbers of arms at one point, the first of them the control."""
    seeds = sorted({seed for values in scores.values() for seed in values})
    study = Study(question="", arms={arm: Arm() for arm in scores}, axis="dataset.shots", points=[1], seeds=seeds)
    study.control, study.margin = next(iter(scores)), margin

    def result(arm: str, seed: int) -> Result:
        value = {f"test/{metric.name}": scores[arm][seed]}
        return Result(f"{arm}{seed}", arm, f"{arm}{seed}", dict(value), 1, 1, 1, 1.0, 1.0, metric)

    cells = {(arm, 1): {seed: result(arm, seed) for seed in values} for arm, values in scores.items()}
    return gather(StudyRecord("a study", study, Path("/nonexistent"), "", cells=cells))


@given(tied())
def test_a_difference_that_is_the_same_on_every_seed_is_neither_better_nor_worse(
    arms: tuple[dict[int, float], dict[int, float]],
) -> None:
    values, control = arms
    found = results({"control": control, "new": values})
    (pair,) = found.gains
    assert found.verdict(pair) == "open"
    assert sentences.sentence(found, pair).endswith(f"on each of {len(values)} seeds; alike, so there is no test.")
    assert "(alike)" in tables.gain(found, pair)
    assert found.best(1) is None


@pytest.mark.parametrize("metric", [ACCURACY, ERROR])
def test_words_hold_for_all_comparisons_at_once(metric: Metric) -> None:
    """One comparison by itself shows a difference that it does not show among twenty."""
    rng = np.random.default_rng(0)
    control = dict(enumerate(rng.normal(0.8, 0.02, 5)))
    near = {seed: value + 0.011 + rng.normal(0, 0.005) for seed, value in control.items()}
    alone = results({"control": control, "near": near}, metric)
    others = {f"arm {i}": {seed: value + rng.normal(0, 0.02) for seed, value in control.items()} for i in range(19)}
    among = results({"control": control, "near": near, **others}, metric)
    word = "better" if metric.goal == "max" else "worse"
    one, same = alone.gain("near", 1), among.gain("near", 1)
    assert one is not None
    assert same is not None
    assert one.comparison == same.comparison
    assert one.comparison.difference.clear
    assert alone.verdict(one) == word
    assert among.verdict(same) == "open"
    assert sentences.sentence(among, same).startswith("near, shots = 1: no difference from control shown")
    assert tables.gain(among, same).endswith(tables.NOT_SHOWN)
    assert len(among.pairs) == 21 * 20 / 2


def test_an_arm_is_best_only_where_it_is_shown_to_beat_every_other() -> None:
    rng = np.random.default_rng(1)
    control = dict(enumerate(rng.normal(0.5, 0.02, 5)))

    def above(shift: float) -> dict[int, float]:
        return {seed: value + shift + rng.normal(0, 0.002) for seed, value in control.items()}

    good = above(0.2)
    assert results({"control": control, "good": good, "fair": above(0.1)}).best(1) == "good"
    assert results({"control": control, "good": good, "alike": above(0.2)}).best(1) is None
    assert results({"control": good, "bad": control, "worse": above(-0.1)}).best(1) == "control"
    assert results({"control": good, "bad": control, "worse": above(-0.1)}, ERROR).best(1) == "worse"


def test_equivalence_is_tested_within_the_margin_and_not_read_off_a_missing_difference() -> None:
    rng = np.random.default_rng(2)
    control = dict(enumerate(rng.normal(0.8, 0.02, 8)))
    close = {seed: value + rng.normal(0, 0.002) for seed, value in control.items()}
    wild = {seed: value + rng.normal(0, 0.05) for seed, value in control.items()}
    found = results({"control": control, "close": close, "wild": wild}, margin=0.01)
    verdicts = {pair.arm: found.verdict(pair) for pair in found.gains}
    assert verdicts == {"close": "equivalent", "wild": "open"}
    plain = results({"control": control, "close": close, "wild": wild})
    assert {plain.verdict(pair) for pair in plain.gains} == {"open"}
    wide = next(pair for pair in plain.gains if pair.arm == "wild")
    assert sentences.would_show(plain, wide).startswith("8 seeds find ")
