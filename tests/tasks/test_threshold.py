"""Predictions and metrics of several labels go by one rule: what is recorded gives scikit-learn the same metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, fbeta_score, roc_auc_score
from torch import Tensor

from tests.tasks.conftest import CLASSES, TARGET, Given, batch_of, drawn, schema, truth_and_outputs
from tlx.config.metrics import FBeta
from tlx.config.task import Classification
from tlx.tasks.classification import ClassificationTask

# a probability of exactly one half, some that only exact arithmetic tells from it, and some far away
LOGITS = st.sampled_from(
    [0.0, -0.0, 1e-12, 1e-7, 5e-7, 1e-6, 3e-6, -1e-7, -1e-6, -4e-6, 0.2, -0.3, 2.0, -1.5, 30.0, -30.0]
)
ROWS = st.lists(st.tuples(*[LOGITS] * 4, *[st.booleans()] * 4), min_size=1, max_size=12)


@dataclass
class Added:
    """The metrics that are asked for beside the usual ones."""

    fbeta: FBeta


def recorded(logits: Tensor, labels: Tensor) -> tuple[list[dict[str, Any]], Mapping[str, float | None]]:
    """What a test writes of each example, and its metrics."""
    options = Classification(multilabel=True, metrics=Added(FBeta(beta=2.0)))
    one = ClassificationTask(options, schema(multilabel=True))
    batch, metrics = batch_of(logits, {TARGET: labels}), one.metrics()
    records = one.predict(Given(), batch, one.eval_step(Given(), batch, metrics))
    return records, one.compute(metrics)


def read(records: list[dict[str, Any]], field: str) -> np.ndarray[Any, Any]:
    """0 or 1 for each label of each example."""
    return np.array([[int(name in one[field]) for name in CLASSES] for one in records])


@given(rows=ROWS, dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_metrics_are_those_of_the_recorded_predictions(rows: list[tuple[Any, ...]], dtype: torch.dtype) -> None:
    logits = torch.tensor([row[:4] for row in rows], dtype=torch.float64).to(dtype)
    labels = torch.tensor([row[4:] for row in rows]).float()
    records, values = recorded(logits, labels)
    truth, predicted = read(records, "label"), read(records, "prediction")
    assert (truth == labels.numpy()).all()
    assert values["f1_macro"] == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    assert values["fbeta"] == pytest.approx(fbeta_score(truth, predicted, beta=2.0, average="macro", zero_division=0))
    probabilities = np.array([one["probabilities"] for one in records])
    assert ((probabilities > 0.5) == (predicted == 1)).all()  # rounded, but not to the other side
    assert np.abs(probabilities - logits.double().sigmoid().numpy()).max() < 2e-6


@pytest.mark.parametrize("seed", range(5))
def test_rankings_are_those_of_the_recorded_probabilities(seed: int) -> None:
    batch = drawn(multilabel=True, seed=seed)
    labels, logits = truth_and_outputs(batch)
    records, values = recorded(logits, labels)
    truth, probabilities = read(records, "label"), np.array([one["probabilities"] for one in records])
    assert values["auroc_macro"] == pytest.approx(roc_auc_score(truth, probabilities, average="macro"))
    precision = average_precision_score(truth, probabilities, average="macro")
    assert values["ap_macro"] == pytest.approx(precision, rel=1e-5)
