"""What recorded predictions say of each class, and which classes are taken for which: numpy alone, as every trial asks.

What is undefined is left empty: the recall of a class that no example has, and its AUROC, average precision and, unless
it was predicted, F1. The precision of a class that is never predicted is 0, as in scikit-learn.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClassScores:
    """A row of the table: one class against the others, over the examples of which it is known."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int  # examples of it
    predicted: int  # examples that are predicted to be of it
    auroc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class Pair:
    """How many examples of one class are predicted to be of another, or of itself."""

    label: str
    prediction: str
    examples: int
    share: float  # of the examples of the label


@dataclass(frozen=True)
class Tables:
    """What predictions say.

    Args:
        scores: Of each class, in the order of the outputs.
        pairs: What is taken for what, the most frequent mistakes first and then what is right; None for several labels.
    """

    scores: list[ClassScores]
    pairs: list[Pair] | None = None


def of_one_label(names: Sequence[str], labels: npt.NDArray[Any], records: Iterable[Mapping[str, Any]]) -> Tables:
    """The tables of predictions of one class for each example; ``labels`` are the true ones as numbers [examples]."""
    labels = np.asarray(labels, dtype=np.int64)
    number = {name: i for i, name in enumerate(names)}
    chances = np.empty((len(labels), len(names)), dtype=np.float32)
    chosen = np.empty(len(labels), dtype=np.int64)
    for row, record in enumerate(records):
        chances[row], chosen[row] = record["probabilities"], number[record["prediction"]]
    scores = [_scores(name, labels == i, chosen == i, chances[:, i]) for i, name in enumerate(names)]
    return Tables(scores, _pairs(names, labels, chosen))


def of_several_labels(names: Sequence[str], labels: npt.NDArray[Any], records: Iterable[Mapping[str, Any]]) -> Tables:
    """The tables of predictions of any number of classes; ``labels``: 1, 0 and NaN for unknown [examples, classes]."""
    number = {name: i for i, name in enumerate(names)}
    chances = np.empty(labels.shape, dtype=np.float32)
    chosen = np.zeros(labels.shape, dtype=np.bool_)
    for row, record in enumerate(records):
        chances[row] = record["probabilities"]
        chosen[row, [number[name] for name in record["prediction"]]] = True
    known = ~np.isnan(labels)
    return Tables(
        [
            _scores(name, labels[rows, i] == 1, chosen[rows, i], chances[rows, i])
            for i, (name, rows) in enumerate(zip(names, known.T, strict=True))
        ]
    )


def as_csv(rows: Sequence[ClassScores] | Sequence[Pair], kind: type[ClassScores] | type[Pair]) -> str:
    """A table as text, numbers to six digits, what is undefined empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([one.name for one in fields(kind)])
    writer.writerows([f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row)] for row in rows)
    return text.getvalue()


def _scores(name: str, true: Flags, chosen: Flags, chances: npt.NDArray[np.float32]) -> ClassScores:
    right, support, predicted = int((true & chosen).sum()), int(true.sum()), int(chosen.sum())
    auroc, precision = ranked(true, chances)
    return ClassScores(
        name,
        precision=right / predicted if predicted else 0.0,
        recall=right / support if support else None,
        f1=2 * right / (support + predicted) if support + predicted else None,
        support=support,
        predicted=predicted,
        auroc=auroc,
        average_precision=precision,
    )


def ranked(true: Flags, chances: npt.NDArray[np.float32]) -> tuple[float | None, float | None]:
    """AUROC, None unless some examples are of the class and some are not, and average precision, None without any.

    Equal chances are one threshold.
    """
    positives = int(true.sum())
    if not positives:
        return None, None
    _, place, counts = np.unique(chances, return_inverse=True, return_counts=True)
    hits = np.bincount(place, weights=true)
    above, hits_above = np.cumsum(counts[::-1]), np.cumsum(hits[::-1])  # from the highest chance down
    precision = float((hits[::-1] / positives * hits_above / above).sum())
    negatives = len(true) - positives
    if not negatives:
        return None, precision
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of equal ones, from 1
    return float(((hits * ranks).sum() - positives * (positives + 1) / 2) / (positives * negatives)), precision


def _pairs(names: Sequence[str], labels: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]) -> list[Pair]:
    cells, counts = np.unique(labels * len(names) + chosen, return_counts=True)
    support = np.bincount(labels, minlength=len(names))
    found = [(*divmod(cell, len(names)), count) for cell, count in zip(cells.tolist(), counts.tolist(), strict=True)]
    found.sort(key=lambda one: (one[0] == one[1], -one[2], one[0], one[1]))
    return [Pair(names[true], names[taken], count, count / int(support[true])) for true, taken, count in found]
