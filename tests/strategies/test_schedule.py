"""Learning rates over time against short formulas written independently: ULMFiT's, fastai's, and paper and pencil."""

from __future__ import annotations

import math

import pytest

from tests.strategies.conftest import phase
from tlx.config.strategy import Schedule
from tlx.strategies.schedule import entry, factor

SHAPES = ("cosine", "linear", "constant", "one_cycle", "slanted")
LENGTHS = (1, 2, 3, 7, 20, 100)


def curve(length: int, **options: object) -> list[float]:
    schedule = Schedule(**options)  # type: ignore[arg-type]
    return [factor(schedule, step, length) for step in range(length)]


def independent(shape: str, warmup: float, step: int, length: int) -> float:
    """The schedule as one would write it on paper."""
    warm = int(length * warmup / 100 + 0.5)
    if step < warm:
        return (step + 1) / warm
    left = (length - step) / (length - warm)
    return {"constant": 1.0, "linear": left, "cosine": math.sin(left * math.pi / 2) ** 2}[shape]


@pytest.mark.parametrize("shape", ["constant", "linear", "cosine"])
@pytest.mark.parametrize(("warmup", "length"), [(10, 100), (10, 7), (0, 20), (25, 12), (100, 9), (10, 1), (50, 2)])
def test_rates_follow_the_schedule(shape: str, warmup: int, length: int) -> None:
    factors = curve(length, shape=shape, warmup=f"{warmup}%")
    assert factors == pytest.approx([independent(shape, warmup, step, length) for step in range(length)])
    assert max(factors) == 1


def ulmfit(t: int, total: int, cut_frac: float, ratio: float) -> float:
    """Equation 3 of Howard & Ruder 2018."""
    cut = math.floor(total * cut_frac)
    p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
    return (1 + p * (ratio - 1)) / ratio


@pytest.mark.parametrize(("warmup", "length"), [(10, 100), (10, 20), (25, 40), (50, 6), (20, 5)])
def test_slanted_is_equation_3_of_ulmfit(warmup: int, length: int) -> None:
    expected = [ulmfit(t, length, warmup / 100, 32) for t in range(length)]
    assert curve(length, shape="slanted", warmup=f"{warmup}%") == pytest.approx(expected)
    assert expected[0] == 1 / 32
    assert expected[length * warmup // 100] == 1


def combined_cos(pct: float, start: float, middle: float, end: float, pos: float) -> float:
    """As fastai composes it of two ``SchedCos`` (fastai/callback/schedule.py)."""
    scheds, pcts = [(start, middle), (middle, end)], [0.0, pct, 1.0]
    idx = 2 - 1 if pos >= pct else 0
    actual = (pos - pcts[idx]) / (pcts[idx + 1] - pcts[idx])
    low, high = scheds[idx]
    return low + (1 + math.cos(math.pi * (1 - actual))) * (high - low) / 2


@pytest.mark.parametrize(("warmup", "div"), [(25, 25.0), (99, 25.0), (30, 5.0), (50, 100.0)])
@pytest.mark.parametrize("length", [1, 7, 100])
def test_one_cycle_is_fastais(warmup: int, div: float, length: int) -> None:
    expected = [combined_cos(warmup / 100, 1 / div, 1.0, 1e-5, step / length) for step in range(length)]
    assert curve(length, shape="one_cycle", warmup=f"{warmup}%", div=div) == pytest.approx(expected)


def test_one_cycle_without_a_rising_part_only_falls() -> None:
    factors = curve(50, shape="one_cycle", warmup="0%")
    assert factors[0] == 1
    assert factors == sorted(factors, reverse=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("warmup", ["0%", "10%", "33.3%", "100%"])
@pytest.mark.parametrize("length", LENGTHS)
def test_every_step_moves_and_none_exceeds_the_full_rate(shape: str, warmup: str, length: int) -> None:
    assert all(0 < value <= 1 for value in curve(length, shape=shape, warmup=warmup))


@pytest.mark.parametrize(("shape", "first", "peak", "last"), [
    ("cosine", 1 / 10, 1.0, (1 + math.cos(math.pi * 89 / 90)) / 2),
    ("linear", 1 / 10, 1.0, 1 / 90),
    ("constant", 1 / 10, 1.0, 1.0),
    ("one_cycle", 1 / 25, 1.0, 1e-5 + (1 - 1e-5) * (1 + math.cos(math.pi * 89 / 90)) / 2),
    ("slanted", 1 / 32, 1.0, (1 + 31 / 90) / 32),
])  # fmt: skip
def test_the_first_and_the_last_step(shape: str, first: float, peak: float, last: float) -> None:
    factors = curve(100, shape=shape)
    assert (factors[0], factors[10], factors[-1]) == pytest.approx((first, peak, last))
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)


@pytest.mark.parametrize(
    ("warmup", "length", "warm"), [("10 steps", 40, 10), ("5%", 40, 2), ("50%", 6, 3), ("1%", 10, 0)]
)
def test_the_warm_up_on_entry_is_a_straight_line_to_one(warmup: str, length: int, warm: int) -> None:
    found = [entry(phase("head", warmup=warmup), step, length) for step in range(length)]
    assert found == pytest.approx([(step + 1) / warm if step < warm else 1.0 for step in range(length)])


def test_without_a_warm_up_on_entry_nothing_is_held_back() -> None:
    assert entry(phase("head"), 0, 10) == 1


def test_a_warm_up_longer_than_the_phase_is_cut_off_by_its_end() -> None:
    found = [entry(phase("head", warmup="10 steps"), step, 4) for step in range(4)]
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.4])
