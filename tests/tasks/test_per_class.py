"""Scores of each class and the pairs that are mistaken, against scikit-learn, whatever is there and whatever ties."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from tlx.tasks.per_class import ClassScores, Pair, as_csv, of_one_label, of_several_labels

NAMES = ("cat", "dog", "owl")


def drawn(seed: int, present: int, rows: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Labels of some classes, and chances with ties."""
    rng = np.random.default_rng(seed)
    chances = rng.integers(1, 6, (rows, len(NAMES))).astype(float)
    return rng.integers(0, present, rows), chances / chances.sum(1, keepdims=True)


def same(ours: float | None, theirs: float) -> None:
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)


@given(st.integers(0, 500), st.integers(1, 3))
def test_one_label_is_scikit_learns_report(seed: int, present: int) -> None:
    labels, chances = drawn(seed, present)
    chances = chances.astype(np.float32).astype(float)
    chosen = chances.argmax(1)
    records = [{"probabilities": row, "prediction": NAMES[best]} for row, best in zip(chances, chosen, strict=True)]
    found = of_one_label(NAMES, labels, records)
    every = range(len(NAMES))
    precision, recall, f1, support = sk.precision_recall_fscore_support(labels, chosen, labels=every, zero_division=0)
    for i, one in enumerate(found.scores):
        assert (one.label, one.support, one.predicted) == (NAMES[i], support[i], (chosen == i).sum())
        same(one.precision, precision[i])
        true = labels == i
        if not support[i]:
            assert (one.recall, one.auroc, one.average_precision) == (None, None, None)
            assert one.f1 == (0.0 if one.predicted else None)
            continue
        same(one.recall, recall[i])
        same(one.f1, f1[i])
        same(one.average_precision, sk.average_precision_score(true, chances[:, i]))
        if true.all():
            assert one.auroc is None
        else:
            same(one.auroc, sk.roc_auc_score(true, chances[:, i]))
    assert found.pairs is not None
    matrix = sk.confusion_matrix(labels, chosen, labels=every)
    assert {(p.label, p.prediction): p.examples for p in found.pairs} == {
        (NAMES[i], NAMES[j]): matrix[i, j] for i in every for j in every if matrix[i, j]
    }
    wrong = [pair.examples for pair in found.pairs if pair.label != pair.prediction]
    assert wrong == sorted(wrong, reverse=True)
    assert all(pair.label == pair.prediction for pair in found.pairs[len(wrong) :])
    for pair in found.pairs:
        same(pair.share, pair.examples / support[NAMES.index(pair.label)])


def test_several_labels_are_counted_where_they_are_known() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((50, 3)) < 0.4).astype(float)
    labels[rng.random((50, 3)) < 0.3] = math.nan
    chances = rng.random((50, 3)).astype(np.float32).astype(float)
    records = [
        {"probabilities": row, "prediction": [name for name, so in zip(NAMES, row > 0.5, strict=True) if so]}
        for row in chances
    ]
    found = of_several_labels(NAMES, labels, records)
    assert found.pairs is None
    for i, one in enumerate(found.scores):
        known = ~np.isnan(labels[:, i])
        true, scores = labels[known, i], chances[known, i]
        same(one.precision, sk.precision_score(true, scores > 0.5))
        same(one.recall, sk.recall_score(true, scores > 0.5))
        same(one.f1, sk.f1_score(true, scores > 0.5))
        same(one.auroc, sk.roc_auc_score(true, scores))
        same(one.average_precision, sk.average_precision_score(true, scores))
        assert (one.support, one.predicted) == (true.sum(), (scores > 0.5).sum())


def test_a_table_is_read_back_whatever_a_class_is_called() -> None:
    odd = ['a,"b"', "new\nline", "ü", ""]
    rows = [ClassScores(name, 1 / 3, None, 0.0, 3, 0, None, 1.0) for name in odd]
    text = as_csv(rows, ClassScores)
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["label"] for row in found] == odd
    assert {row["precision"] for row in found} == {"0.333333"}
    assert {row["recall"] for row in found} == {""}
    assert as_csv([Pair("a", "b", 2, 0.5)], Pair) == "label,prediction,examples,share\na,b,2,0.5\n"
