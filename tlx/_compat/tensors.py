"""What torch does with many tensors at once, and counts of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def lerp_(means: Sequence[Tensor], values: Sequence[Tensor], share: float) -> None:
    """Move each mean in place by a share of its way to its value, in few kernels."""
    torch._foreach_lerp_(list(means), list(values), share)


def version(tensor: Tensor) -> int:
    """How often a tensor was written to."""
    return tensor._version
