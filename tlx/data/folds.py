"""Cross-validation: which of so many parts tests, by scikit-learn's rules of today, whatever version is installed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tlx.columns.reading import Indices


def fold_of(count: int, folds: int, labels: NDArray[np.int64] | None, seed: int) -> Indices:
    """Deal ``count`` examples into folds at random: ``StratifiedKFold(shuffle=True)``, or ``KFold`` without labels.

    Args:
        count: How many examples there are.
        folds: How many folds.
        labels: The class of each, to have its shares in all folds as equal as can be; None for none.
        seed: Of ``RandomState``.

    Returns:
        The fold of each example [examples].

    Raises:
        ValueError: There are fewer examples than folds, or no class has as many.
    """
    if count < folds:
        raise ValueError(f"{count} examples cannot be dealt into {folds} folds")
    rng = np.random.RandomState(seed)
    found = np.empty(count, dtype=np.int64)
    if labels is None:
        for fold, part in enumerate(np.array_split(rng.permutation(count), folds)):
            found[part] = fold
        return found
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    kinds = np.argsort(np.argsort(first))[inverse]  # classes are dealt in the order in which they come
    counts = np.bincount(kinds)
    if counts.max() < folds:
        raise ValueError(f"every class has fewer than {folds} examples")
    in_order = np.sort(kinds)
    dealt = np.stack([np.bincount(in_order[fold::folds], minlength=len(counts)) for fold in range(folds)])
    for kind in range(len(counts)):
        own = np.arange(folds).repeat(dealt[:, kind])
        rng.shuffle(own)
        found[kinds == kind] = own
    return found


def time_borders(count: int, folds: int) -> list[int]:
    """Where the folds of examples in the order of time begin and the last ends: ``TimeSeriesSplit``.

    What lies before a fold trains for it, so the part before the first tests in none.

    Raises:
        ValueError: A fold, or what trains for the first, would be empty.
    """
    size = count // (folds + 1)
    if size < 1:
        raise ValueError(f"{count} examples cannot be dealt into {folds} folds and what lies before the first")
    return [count - size * left for left in range(folds, -1, -1)]
