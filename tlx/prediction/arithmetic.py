"""The arithmetic in which a trial was tested, so that its model computes the same bits outside of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from tlx.training.precision import floats

_MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@contextmanager
def arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Compute without gradients as Lightning does under a precision.

    Args:
        precision: Of ``hardware.precision``.
        device: Where the network is.
    """
    wanted, before = floats(precision), torch.get_default_dtype()
    mixed = torch.autocast(device.type, dtype=_MIXED[precision], cache_enabled=False) if precision in _MIXED else None
    with torch.no_grad(), mixed or nullcontext():
        if wanted == before:
            yield
            return
        torch.set_default_dtype(wanted)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
