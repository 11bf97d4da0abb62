"""The head solved exactly: multinomial logistic regression on frozen features (scikit-learn, L2, C = 1)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

_ITERATIONS = 2000


def solve(features: Tensor, labels: Tensor, head: nn.Linear, weights: Tensor | None = None) -> None:
    """Write into ``head`` the regression fitted on features [n, width] and classes [n].

    ``weights`` say how much each example counts [n]. Features are standardised by their own mean and deviation, which
    are then folded into the head's weights.
    """
    from sklearn.linear_model import LogisticRegression

    values = features.double().numpy()
    mean, deviation = values.mean(0), values.std(0)
    deviation[deviation < 1e-12] = 1.0  # a constant feature says nothing; its weight is zero anyway
    model = LogisticRegression(C=1.0, max_iter=_ITERATIONS).fit(
        (values - mean) / deviation, labels.numpy(), sample_weight=weights
    )
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    weight = weight / deviation
    bias = bias - weight @ mean
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
