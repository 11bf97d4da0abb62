"""The head solved exactly: ridge regression on frozen features (L2, alpha = 1: Hoerl & Kennard 1970)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ALPHA = 1.0


def solve(features: Tensor, targets: Tensor, head: nn.Linear) -> None:
    """Write into ``head`` the regression fitted on features [n, width] and numbers [n, outputs].

    Features are standardised by their own mean and deviation, which are then folded into the weights. The intercept
    costs nothing. With more features than examples the dual form is solved, which is the same and smaller.
    """
    values, wanted = features.double(), targets.double()
    mean, deviation = values.mean(0), values.std(0, correction=0)
    deviation[deviation < 1e-12] = 1.0  # a constant feature says nothing; its weight is zero anyway
    x, offset = (values - mean) / deviation, wanted.mean(0)
    y = wanted - offset
    if x.shape[0] >= x.shape[1]:
        weight = torch.linalg.solve(x.T @ x + ALPHA * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y).T
    else:
        weight = (x.T @ torch.linalg.solve(x @ x.T + ALPHA * torch.eye(x.shape[0], dtype=x.dtype), y)).T
    weight = weight / deviation
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(offset - weight @ mean)
