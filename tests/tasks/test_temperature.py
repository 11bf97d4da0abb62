"""The temperature is the minimum of the loss: against scipy's search, for known answers, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from tlx.tasks.temperature import LEAST, MOST, of_one_label, of_several_labels


def best(loss: object) -> float:
    found = minimize_scalar(loss, bounds=(math.log(LEAST), math.log(MOST)), method="bounded", options={"xatol": 1e-9})
    return math.exp(found.x)


def drawn(seed: int, scale: float, rows: int = 200) -> tuple[Tensor, Tensor]:
    """Labels that follow from logits, and those logits times a number: that is the temperature."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 4, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    return logits * scale, labels


@given(st.integers(0, 100), st.floats(0.2, 5), st.booleans())
def test_of_one_label_no_temperature_is_better(seed: int, scale: float, weighed: bool) -> None:
    logits, labels = drawn(seed, scale)
    counts = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed)) if weighed else None
    weights = torch.ones(len(labels)) if counts is None else counts

    def loss(log: float) -> float:
        each = F.cross_entropy(logits / math.exp(log), labels, reduction="none")
        return float((each * weights).sum() / weights.sum())

    found = of_one_label(logits.numpy(), labels.numpy(), None if counts is None else counts.numpy())
    assert found.value == pytest.approx(best(loss), rel=1e-5)
    assert found.before == pytest.approx(loss(0.0), rel=1e-6)
    assert found.after == pytest.approx(loss(math.log(found.value)), rel=1e-6)
    assert found.after <= found.before + 1e-12


@given(st.integers(0, 100), st.floats(0.3, 4))
def test_of_several_labels_what_is_unknown_says_nothing(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(100, 3, generator=generator, dtype=torch.float64)
    labels = torch.bernoulli(logits.sigmoid(), generator=generator)
    labels[torch.rand(100, 3, generator=generator) < 0.3] = math.nan
    known = ~labels.isnan()
    logits = logits * scale
    counts = torch.rand(100, generator=generator)
    weights = counts[:, None].expand_as(labels)[known]

    def loss(log: float) -> float:
        each = F.binary_cross_entropy_with_logits(logits[known] / math.exp(log), labels[known], reduction="none")
        return float((each * weights).sum() / weights.sum())

    found = of_several_labels(logits.numpy(), labels.numpy(), counts.numpy())
    assert found.value == pytest.approx(best(loss), rel=1e-5)
    assert found.after == pytest.approx(loss(math.log(found.value)), rel=1e-6)


def test_logits_that_are_too_large_by_a_factor_are_divided_by_it() -> None:
    logits, labels = drawn(0, 3.0, rows=20_000)
    assert of_one_label(logits.numpy(), labels.numpy(), None).value == pytest.approx(3.0, rel=0.05)


@given(st.integers(0, 100), st.booleans(), st.booleans(), st.booleans())
def test_where_there_is_no_minimum_nothing_is_fitted(seed: int, right: bool, several: bool, weighed: bool) -> None:
    """However sure validation may be, it says nothing of how sure is right."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    best, worst = logits.argmax(1), logits.argmin(1)
    labels = (logits > 0 if right else logits <= 0).double() if several else best if right else worst
    counts = torch.rand(30, generator=generator).numpy() if weighed else None
    found = (of_several_labels if several else of_one_label)(logits.numpy(), labels.numpy(), counts)
    assert found.value == 1.0
    assert found.after == found.before
    assert ("no mistake" if right else "no better than chance") in found.why_not


def test_where_no_temperature_changes_anything_it_is_one() -> None:
    nothing = of_one_label(np.zeros((2, 2)), np.array([0, 1]), None)
    assert (nothing.value, nothing.why_not) == (1.0, "")
