"""What differs from seed to seed: which of the sources of variation a study's seed drives."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tlx.config.schema import Trial
from tlx.config.select import select
from tlx.config.study import SOURCES


def settings(seed: int, first: int, vary: Collection[str], whole: Trial) -> dict[str, Any]:
    """The settings of a trial of one seed.

    Args:
        seed: Of what varies.
        first: Of what does not.
        vary: Sources of variation, of :data:`tlx.config.study.SOURCES`.
        whole: The study as it was composed: a seed that it sets itself stays.
    """
    found: dict[str, Any] = {"seed": seed}
    for source, key in SOURCES.items():
        if source in ("split", "fold"):  # they do not follow the trial's seed
            found |= {key: seed} if source in vary else {}
        elif source not in vary and select(whole, key) is None:
            found[key] = first
    return found


def alone(source: str, seed: int, first: int) -> dict[str, Any]:
    """The settings of a trial in which one source alone is of another seed than the first."""
    return {"seed": first, SOURCES[source]: seed}
