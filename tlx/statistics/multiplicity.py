"""Many comparisons at once: of twenty without any effect, one is expected to have p below 0.05."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values so that all that lie below a level hold together at that level (Holm 1979).

    Whatever the dependence between the tests, the chance of one or more false findings among those whose adjusted
    p-value is below 0.05 is at most 5 %.

    Args:
        p_values: One for each comparison of the family. None: it cannot be tested, but belongs to the family: it counts
            with p = 1, so that leaving out what does not vary makes nothing else easier to show.

    Returns:
        The adjusted ones in the same order; None where there was None.

    Raises:
        ValueError: One is no probability.
    """
    if wrong := [p for p in p_values if p is not None and not 0 <= p <= 1]:
        raise ValueError(f"p-values lie between 0 and 1: {wrong[0]}")
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[place] = largest
    return adjusted
