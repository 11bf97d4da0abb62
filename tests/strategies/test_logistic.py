"""The exact head is scikit-learn's logistic regression on standardised features, folded into a linear layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from tlx.tasks.logistic import solve


def loaded(name: str) -> tuple[Tensor, Tensor]:
    """Features and classes of a table that scikit-learn brings along."""
    table = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer}[name]()
    return torch.from_numpy(table.data).float(), torch.from_numpy(table.target).long()


def probabilities(features: Tensor, labels: Tensor) -> Tensor:
    """The solved head's."""
    torch.manual_seed(0)
    head = nn.Linear(features.shape[1], int(labels.max()) + 1)
    solve(features, labels, head)
    with torch.no_grad():
        out: Tensor = head(features).softmax(-1)
    return out


def oracle(features: Tensor, labels: Tensor) -> Tensor:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    values = features.double().numpy()
    return torch.from_numpy(model.fit(values, labels.numpy()).predict_proba(values)).float()


@pytest.mark.parametrize("name", ["iris", "wine", "cancer"])
def test_probabilities_equal_scikit_learns(name: str) -> None:
    features, labels = loaded(name)
    torch.testing.assert_close(probabilities(features, labels), oracle(features, labels), rtol=0, atol=1e-4)


def test_the_scale_of_a_feature_does_not_matter() -> None:
    features, labels = loaded("iris")
    scaled = features * torch.tensor([1e-3, 1.0, 1e3, 7.0]) + torch.tensor([0.0, 5.0, 100.0, -3.0])
    torch.testing.assert_close(probabilities(scaled, labels), oracle(features, labels), rtol=0, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 3.3, -0.1])
def test_a_constant_feature_says_nothing(value: float) -> None:
    features, labels = loaded("iris")
    wider = torch.cat([features, torch.full((len(features), 2), value)], dim=1)
    torch.testing.assert_close(probabilities(wider, labels), oracle(features, labels), rtol=0, atol=1e-4)


def test_the_same_head_whatever_it_began_with() -> None:
    features, labels = loaded("wine")
    heads = [nn.Linear(features.shape[1], 3) for _ in range(2)]
    for head in heads:
        solve(features, labels, head)
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert torch.equal(heads[0].bias, heads[1].bias)
    assert heads[0].weight.requires_grad
    assert np.isfinite(heads[0].weight.detach().numpy()).all()
