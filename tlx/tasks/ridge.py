"""The head solved exactly: ridge regression on frozen features (L2, alpha = 1: Hoerl & Kennard 1970)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ALPHA = 1.0


def solve(features: Tensor, targets: Tensor, head: nn.Linear, weights: Tensor | None = None) -> None:
    """Write into ``head`` the regression fitted on features [n, width] and numbers [n, outputs].

    Features are standardised by their own mean and deviation, which are then folded into the head's weights. The
    intercept costs nothing. ``weights`` say how much each example counts [n]. With more features than examples the dual
    form is solved, which is the same and smaller.
    """
    values, wanted = features.double(), targets.double()
    mean, deviation = values.mean(0), values.std(0, correction=0)
    deviation[deviation < 1e-12] = 1.0  # a constant feature says nothing; its weight is zero anyway
    x = (values - mean) / deviation
    counts = torch.ones(len(x), dtype=x.dtype) if weights is None else weights.double()
    centre, offset = (counts @ x) / counts.sum(), (counts @ wanted) / counts.sum()
    root = counts.sqrt()[:, None]
    x, y = (x - centre) * root, (wanted - offset) * root
    if x.shape[0] >= x.shape[1]:
        weight = torch.linalg.solve(x.T @ x + ALPHA * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y).T
    else:
        weight = (x.T @ torch.linalg.solve(x @ x.T + ALPHA * torch.eye(x.shape[0], dtype=x.dtype), y)).T
    weight = weight / deviation
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(offset - weight @ (mean + centre * deviation))
