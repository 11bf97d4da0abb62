"""What differs from seed to seed: which of the sources of variation a study's seed drives."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tlx.config.schema import Trial
from tlx.config.study import SOURCES

_KEYS = {"split": "dataset.split_seed", "shots": "dataset.shots_seed", "init": "init_seed", "order": "order_seed"}


def settings(seed: int, first: int, vary: Collection[str], whole: Trial) -> dict[str, Any]:
    """The settings of a trial of one seed.

    Args:
        seed: Of what varies.
        first: Of what does not.
        vary: Sources of variation, of :data:`tlx.config.study.SOURCES`.
        whole: The study as it was composed: a seed that it sets itself stays.
    """
    found: dict[str, Any] = {"seed": seed}
    if "split" in vary:
        found[_KEYS["split"]] = seed
    for source in ("shots", "init", "order"):
        if source not in vary and _given(source, whole) is None:
            found[_KEYS[source]] = first
    return found


def alone(source: str, seed: int, first: int) -> dict[str, Any]:
    """The settings of a trial in which one source alone is of another seed than the first."""
    return {"seed": first, _KEYS[source]: seed}


def _given(source: str, whole: Trial) -> int | None:
    return {"shots": whole.dataset.shots_seed, "init": whole.init_seed, "order": whole.order_seed}[source]


def keys() -> frozenset[str]:
    """Every setting that is a seed of a study's."""
    return frozenset({"seed", *(_KEYS[source] for source in SOURCES)})
