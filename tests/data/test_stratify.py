"""Splits are scikit-learn's, index for index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import model_selection
from sklearn.datasets import load_digits

from tests.data.conftest import inputs, labels, load
from tlx.config.dataset import Digits
from tlx.data.stratify import train_test_split


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    share=st.one_of(st.floats(0.01, 0.99), st.integers(1, 60)),
    seed=st.integers(0, 2**32 - 1),
    stratified=st.booleans(),
)
def test_the_same_split_as_scikit_learn(counts: list[int], share: float | int, seed: int, stratified: bool) -> None:
    names = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    pool = np.arange(len(names)) * 3
    given_labels = names if stratified else None
    try:
        wanted = model_selection.train_test_split(pool, test_size=share, stratify=given_labels, random_state=seed)
    except ValueError:
        with pytest.raises(ValueError, match=r"class|empty"):
            train_test_split(pool, test_size=share, labels=given_labels, seed=seed)
        return
    found = train_test_split(pool, test_size=share, labels=given_labels, seed=seed)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_digits_are_those_of_scikit_learn() -> None:
    source, bunch = load(Digits()), load_digits()
    np.testing.assert_array_equal(inputs(source), np.round(bunch.images / 16 * 255).astype(np.uint8))
    np.testing.assert_array_equal(labels(source), bunch.target)
