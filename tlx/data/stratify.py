"""Random splits in two, by scikit-learn's algorithm of today, whatever version is installed: they are in the numbers.

Numbers are drawn from NumPy's ``RandomState``, whose stream is frozen, as ``train_test_split`` draws them. scikit-learn
itself is not imported, which takes about as long as torch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tlx.columns.reading import Indices


def train_test_split(
    pool: Indices, *, test_size: float | int, labels: NDArray[np.int64] | None, seed: int
) -> tuple[Indices, Indices]:
    """Split ``pool`` [n] at random.

    Args:
        pool: What is split.
        test_size: How many go to the second part, or, below 1, which share of them (rounded up).
        labels: Of each [n], to have its shares in both parts as equal as can be; None for none.
        seed: Of ``RandomState``.

    Returns:
        The two parts, shuffled.

    Raises:
        ValueError: A part, or a class in one of them, would be empty.
    """
    rest = len(pool) - (count := math.ceil(test_size * len(pool)) if test_size < 1 else int(test_size))
    if rest < 1 or count < 1:
        raise ValueError("one of the parts would be empty")
    rng = np.random.RandomState(seed)
    if labels is None:
        order = rng.permutation(len(pool))
        return pool[order[count:]], pool[order[:count]]
    _, kinds, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError("a class has only one example")
    if min(rest, count) < len(counts):
        raise ValueError(f"{min(rest, count)} examples are fewer than the {len(counts)} classes")
    members = np.split(np.argsort(kinds, kind="stable"), np.cumsum(counts)[:-1])
    n_rest = _shares(counts, rest, rng)
    n_taken = _shares(counts - n_rest, count, rng)
    first, second = [], []
    for own, head, tail in zip(members, n_rest, n_taken, strict=True):
        shuffled = own[rng.permutation(len(own))]
        first.append(shuffled[:head])
        second.append(shuffled[head : head + tail])
    return pool[rng.permutation(np.concatenate(first))], pool[rng.permutation(np.concatenate(second))]


def _shares(counts: NDArray[np.int64], draws: int, rng: np.random.RandomState) -> NDArray[np.int64]:
    """Spread ``draws`` over classes in proportion to their counts; the largest remainders first, ties at random."""
    exact = counts / counts.sum() * draws
    whole = np.floor(exact)
    missing = int(draws - whole.sum())
    remainders = exact - whole
    for value in sorted(set(remainders.tolist()), reverse=True) if missing > 0 else ():  # np.unique imports numpy.ma
        (tied,) = np.where(remainders == value)
        chosen = rng.choice(tied, size=min(len(tied), missing), replace=False)
        whole[chosen] += 1
        missing -= len(chosen)
        if missing == 0:
            break
    found: NDArray[np.int64] = whole.astype(np.int64)
    return found
