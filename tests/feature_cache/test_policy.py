"""When reuse pays: against sums done by hand."""

from __future__ import annotations

import pytest

from tlx.feature_cache.policy import Need, free_memory, is_profitable, reading, reading_is_profitable
from tlx.feature_cache.writer import Costs

GB = 1e9


@pytest.mark.parametrize(("examples", "passes", "enough"), [
    (1000, 1.0, False),  # once is what filling costs
    (1000, 1.49, False),
    (1000, 1.5, True),
    (200, 1.9, False),  # 380 examples in all
    (200, 2.0, True),
    (10, 39.9, False),
    (10, 40.0, True),
    (0, 100.0, False),
])  # fmt: skip
def test_few_readings_are_not_worth_a_measurement(examples: int, passes: float, enough: bool) -> None:
    assert Need(examples, passes).enough == enough


def test_what_fits_in_memory_is_read_at_memorys_rate() -> None:
    assert reading(1e3, 1000, 2.1e6) == 1e3 / 1e9
    assert reading(1e3, 1000, 1.9e6) == 1e3 / 2e8


@pytest.mark.parametrize("passes", [1.5, 2.0, 10.0, 300.0])
@pytest.mark.parametrize("compute", [1e-5, 1e-3])
@pytest.mark.parametrize("write", [0.0, 1e-4])
@pytest.mark.parametrize("size", [512.0, 4e5, 4e6])
def test_it_pays_where_the_sum_is_smaller(passes: float, compute: float, write: float, size: float) -> None:
    examples, memory = 5000, 4 * GB
    rate = 1e9 if size * examples < memory / 2 else 2e8
    reused = compute + write + passes * size / rate
    plain = passes * compute
    assert is_profitable(Need(examples, passes), Costs(compute, write), size, memory) == (reused <= 0.95 * plain)


def test_free_writing_and_reading_pay_from_the_second_pass_on() -> None:
    free = Costs(1e-3, 0.0)
    assert not is_profitable(Need(1000, 1.05), free, 0.0, GB)
    assert is_profitable(Need(1000, 1.06), free, 0.0, GB)  # 1 <= 0.95 * 1.06


def test_what_is_dearer_to_read_than_to_compute_never_pays() -> None:
    assert not is_profitable(Need(1000, 1e9), Costs(1e-3, 0.0), 1e6, 100 * GB)
    assert not reading_is_profitable(1e-3, 1e6, 1000, 100 * GB)
    assert reading_is_profitable(1e-3, 0.94e6, 1000, 100 * GB)
    assert not reading_is_profitable(1e-3, 0.96e6, 1000, 100 * GB)


def test_free_memory_is_what_the_kernel_says() -> None:
    lines = open("/proc/meminfo", encoding="ascii").read().splitlines()  # noqa: SIM115
    total = float(lines[0].split()[1]) * 1024
    assert lines[0].startswith("MemTotal")
    assert 0 < free_memory() < total
