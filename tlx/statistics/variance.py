"""Where results vary from: one source at a time (Bouthillier et al. 2021, Accounting for Variance in ML Benchmarks)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlx.statistics.intervals import deviation


@dataclass(frozen=True)
class Share:
    """What one source of variation contributes.

    Args:
        variance: Of the values among which it alone was varied; None for fewer than two.
        share: Of the sum of all known variances; None where the variance is not known, or that sum is zero.
        n: How many values there are.
    """

    variance: float | None
    share: float | None
    n: int


def shares(by_source: Mapping[str, Sequence[float]]) -> dict[str, Share]:
    """Compare sources of variation, such as the order of the data, the initial head, and which examples are drawn.

    Variances of independent sources add up; what two of them do only together is in no share.

    Args:
        by_source: The results among which that source alone was varied, all others being held.

    Returns:
        The share of each, in the same order.
    """
    spreads = {name: deviation(values) if len(values) > 1 else None for name, values in by_source.items()}
    variances = {name: None if spread is None else spread * spread for name, spread in spreads.items()}
    total = sum(found for found in variances.values() if found is not None)
    return {
        name: Share(found, found / total if found is not None and total > 0 else None, len(by_source[name]))
        for name, found in variances.items()
    }
