"""The optimizers of torch and timm, by the names they are asked for."""

from __future__ import annotations

from functools import cache

import torch
from torch.optim import Optimizer

_BETTER_IN_TIMM = ("muon",)  # torch's refuses everything but matrices, timm's steps the rest by AdamW


def names() -> list[str]:
    """Every name that can be asked for: torch's classes in lower case, then timm's."""
    from timm.optim import list_optimizers

    return sorted({*of_torch(), *list_optimizers()})


@cache
def of_torch() -> dict[str, type[Optimizer]]:
    """torch's optimizers, by the lower-case names of their classes."""
    kinds = [kind for kind in vars(torch.optim).values() if isinstance(kind, type) and issubclass(kind, Optimizer)]
    named = {kind.__name__.lower(): kind for kind in kinds if kind is not Optimizer}
    return {name: kind for name, kind in named.items() if name not in _BETTER_IN_TIMM}
