"""What a study's report says of a difference that does not vary."""

from __future__ import annotations

from hypothesis import given

from tests.statistics.counts import tied
from tlx.config.study import Arm, Study
from tlx.reports import page
from tlx.reports.study_results import CellFinding, StudyResults
from tlx.runs.metric import Metric
from tlx.statistics.comparison import compare
from tlx.statistics.intervals import estimate

ACCURACY = Metric("acc", "accuracy", "max", percent=True)


@given(tied())
def test_a_difference_that_is_the_same_on_every_seed_is_neither_better_nor_worse(
    arms: tuple[dict[int, float], dict[int, float]],
) -> None:
    values, control = arms
    compared = compare(values, control)
    assert compared is not None
    study = Study(question="", arms={"control": Arm(), "new": Arm()}, axis="dataset.shots", points=[1], seeds=[0, 1])
    study.control = "control"
    score = estimate(list(values.values()))
    cell = CellFinding("new", 1, (), score, compared.difference, None, {}, estimate([1.0]))
    found = StudyResults("ties", study, ACCURACY, {("new", 1): cell}, None, {}, (), "")
    assert found.verdict(cell) == "open"
    assert found.sentence(cell).endswith(f"on each of {len(values)} seeds; alike, so no interval.")
    assert page.gain(cell, ACCURACY).endswith("(alike on every seed)")
