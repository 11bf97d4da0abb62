"""How fast an arm learns, where some never reach the target."""

from __future__ import annotations

from tlx.reports.speed import median_censored, steps_to


def test_steps_to_target_is_the_first_and_may_be_never() -> None:
    curve = [(10, 0.5), (20, 0.91), (30, 0.89), (40, 0.95)]
    assert steps_to(curve, 0.9, "max") == 20
    assert steps_to(curve, 0.96, "max") is None
    below = [(step, -value) for step, value in curve]
    assert steps_to(below, -0.9, "min") == 20
    assert steps_to(below, -0.96, "min") is None


def test_the_median_of_censored_steps() -> None:
    assert median_censored([10, None, 20]) == 20
    assert median_censored([10, None, None]) is None
    assert median_censored([30, 10, 20]) == 20
