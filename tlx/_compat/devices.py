"""Copies to a device that nobody waits for."""

from __future__ import annotations

import torch
from torch import Tensor


def onto(tensor: Tensor, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """The tensor on a device; a copy to a GPU of NVIDIA or AMD is only begun.

    CUDA has read ordinary memory by the time it returns (its API, on synchronisation of copies), torch keeps pinned
    memory until it was copied, and work that is asked for later comes later. Nobody may change a pinned tensor that is
    on its way. Other devices promise no such thing.
    """
    return tensor.to(device, dtype, non_blocking=torch.device(device).type == "cuda")
