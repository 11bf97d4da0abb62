"""What a number of seeds can show: the power of the two-sided paired t test, by the noncentral t distribution.

With n differences of standard deviation s around a true difference d, t is noncentral with n - 1 degrees of freedom and
noncentrality ``d sqrt(n) / s`` (Cohen 1988).
"""

from __future__ import annotations

import math
from bisect import bisect_left

from scipy import optimize, stats

_FAR = 1e4


def detectable_difference(deviation: float, n: int, *, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest true difference that n seeds show with a given power.

    Args:
        deviation: The standard deviation of the paired differences.
        n: How many seeds both arms have.
        power: The chance of p below ``alpha``.
        alpha: The level of the test.

    Returns:
        The difference in the unit of ``deviation``; None for fewer than two seeds.

    Raises:
        ValueError: ``deviation`` is negative, or ``0 < alpha < power < 1`` does not hold.
    """
    _check(deviation, power, alpha)
    if n < 2:
        return None
    upper = 1.0
    while _power(upper, n, alpha) < power:
        upper *= 2
    return deviation / math.sqrt(n) * float(optimize.brentq(lambda shift: _power(shift, n, alpha) - power, 0.0, upper))


def seeds_needed(deviation: float, difference: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """The least number of seeds that show a true difference with a given power.

    Args:
        deviation: The standard deviation of the paired differences.
        difference: The true difference, of either sign.
        power: The chance of p below ``alpha``.
        alpha: The level of the test.

    Returns:
        The number, two or more.

    Raises:
        ValueError: ``difference`` is zero, ``deviation`` is negative, or ``0 < alpha < power < 1`` does not hold.
    """
    _check(deviation, power, alpha)
    if difference == 0:
        raise ValueError("no number of seeds shows a difference of zero")
    if deviation == 0:
        return 2

    def suffices(n: int) -> bool:
        return _power(abs(difference) / deviation * math.sqrt(n), n, alpha) >= power

    upper = 2
    while not suffices(upper):
        upper *= 2
    return 2 + bisect_left(range(2, upper), True, key=suffices)


def _power(shift: float, n: int, alpha: float) -> float:
    """The power of n differences whose t has this noncentrality: t squared is a noncentral F of 1 and n - 1."""
    critical = float(stats.t.isf(alpha / 2, n - 1))
    if shift > _FAR:  # where the series of the noncentral F does not converge, all but the deviation is constant
        return float(stats.chi2.cdf((n - 1) * (shift / critical) ** 2, n - 1))
    return float(stats.ncf.sf(critical**2, 1, n - 1, shift**2))


def _check(deviation: float, power: float, alpha: float) -> None:
    if not deviation >= 0:
        raise ValueError(f"a standard deviation is not negative: {deviation}")
    if not 0 < alpha < power < 1:
        raise ValueError(f"expected 0 < alpha < power < 1: alpha {alpha}, power {power}")
