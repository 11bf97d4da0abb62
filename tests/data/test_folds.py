"""Folds and splits in whole units, held to scikit-learn: the same folds, nothing twice, and groups kept apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from tlx.data.folds import fold_of, time_borders
from tlx.data.units import dealt

COUNT = st.integers(12, 150)
FOLDS = st.integers(2, 6)
SEED = st.integers(0, 2**32 - 1)


@given(count=COUNT, folds=FOLDS, seed=SEED, classes=st.integers(1, 5))
def test_folds_are_scikit_learns(count: int, folds: int, seed: int, classes: int) -> None:
    labels = np.random.default_rng(seed).integers(classes, size=count)
    assume(np.bincount(labels).min() >= folds)  # of fewer, scikit-learn warns
    stratified, plain = fold_of(count, folds, labels, seed), fold_of(count, folds, None, seed)
    theirs = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    others = KFold(folds, shuffle=True, random_state=seed).split(labels)
    for fold, ((_, test), (_, other)) in enumerate(zip(theirs, others, strict=True)):
        assert np.flatnonzero(stratified == fold).tolist() == test.tolist()
        assert np.flatnonzero(plain == fold).tolist() == other.tolist()


@given(count=COUNT, folds=FOLDS)
def test_folds_in_time_are_scikit_learns(count: int, folds: int) -> None:
    borders = time_borders(count, folds)
    for fold, (train, test) in enumerate(TimeSeriesSplit(folds).split(np.zeros(count))):
        assert (test[0], test[-1] + 1, len(train)) == (borders[fold], borders[fold + 1], borders[fold])


def test_too_few_for_the_folds() -> None:
    with pytest.raises(ValueError, match="3 examples cannot"):
        fold_of(3, 4, None, 0)
    with pytest.raises(ValueError, match="fewer than 5"):
        fold_of(8, 5, np.repeat([0, 1], 4), 0)
    with pytest.raises(ValueError, match="4 examples cannot"):
        time_borders(4, 4)
    with pytest.raises(ValueError, match="2 cannot be given to 3 parts"):
        dealt(np.array([0, 1, 1]), None, np.full(3, 1 / 3), 0)


def unevenness(part: np.ndarray, labels: np.ndarray, folds: int) -> float:
    """How far the shares of the classes differ between folds, in the mean over classes."""
    counts = np.array([np.bincount(labels[part == fold], minlength=labels.max() + 1) for fold in range(folds)])
    return float((counts / counts.sum(0)).std(0).mean())


@given(
    count=st.integers(40, 150), folds=st.integers(2, 4), seed=SEED, classes=st.integers(1, 4), size=st.integers(1, 8)
)
def test_units_stay_whole_and_classes_as_even_as_scikit_learns(
    count: int, folds: int, seed: int, classes: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    labels, units = rng.integers(classes, size=count), rng.integers(max(folds, count // size), size=count)
    assume(len(np.unique(labels)) == classes and np.bincount(labels).min() >= folds and len(np.unique(units)) >= folds)
    mine = dealt(units, labels, np.full(folds, 1 / folds), seed)
    assert set(mine.tolist()) == set(range(folds))
    assert all(len(set(mine[units == unit].tolist())) == 1 for unit in set(units.tolist()))
    theirs = np.empty(count, dtype=int)
    for fold, (_, test) in enumerate(
        StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**31).split(labels, labels, units)
    ):
        theirs[test] = fold
    assert unevenness(mine, labels, folds) <= unevenness(theirs, labels, folds) + 0.05
    assert mine.tolist() == dealt(units, labels, np.full(folds, 1 / folds), seed).tolist()


@given(seed=SEED, share=st.sampled_from([0.1, 0.2, 0.35, 0.5]), size=st.integers(1, 6))
def test_a_share_of_units_is_near_what_was_asked(seed: int, share: float, size: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=240)
    taken = dealt(np.arange(240) // size, labels, np.array([1 - share, share]), seed) == 1
    assert taken.mean() == pytest.approx(share, abs=2 * size / 240 + 0.02)
    for kind in range(3):
        assert taken[labels == kind].mean() == pytest.approx(share, abs=0.12)
