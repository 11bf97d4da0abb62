"""When a target was reached is known to lie between two validations, and the median counts those that never did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tlx.reports.speed import Crossing, crossing, median_crossing

CURVE = [(10, 0.5), (20, 0.9), (30, 0.8)]


def test_a_crossing_lies_between_two_validations() -> None:
    assert crossing(CURVE, 0.9, "max") == Crossing(10, 20)
    assert crossing(CURVE, 0.5, "max") == Crossing(0, 10)
    assert crossing(CURVE, 0.95, "max") is None
    assert crossing([(10, 0.5), (20, 0.1)], 0.2, "min") == Crossing(10, 20)
    assert str(Crossing(10, 20)) == "11–20"


def test_never_is_later_than_anything() -> None:
    reached = [Crossing(0, 10), None, Crossing(10, 20)]
    assert median_crossing(reached) == Crossing(10, 20)
    assert median_crossing([None, None, Crossing(0, 10)]) is None


@given(st.integers(1, 200), st.sampled_from([5, 7, 20, 36]), st.sampled_from([5, 7, 20, 36]))
def test_arms_that_cross_at_one_step_are_never_shown_apart(step: int, every: int, other: int) -> None:
    """Whatever the steps between their validations, the intervals hold the true step, so they overlap."""
    curves = [[(k, float(k >= step)) for k in range(n, 300, n)] for n in (every, other)]
    one, two = (crossing(curve, 1.0, "max") for curve in curves)
    assert one is not None
    assert two is not None
    assert one.after < step <= one.by
    assert two.after < step <= two.by
