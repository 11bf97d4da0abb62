"""Tensors of which each process holds a part (FSDP)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard

from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    """Is this tensor spread over processes?

    ``torch.distributed.tensor`` is not imported for the question, which takes as long as torch itself: while nobody has
    imported it, no tensor is of its kind.
    """
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)
