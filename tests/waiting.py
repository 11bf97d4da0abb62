"""Who reads a value of a tensor, or a shape that depends on values: on a GPU, that waits for all work before it."""

from __future__ import annotations

from typing import Any

import torch

from tlx._compat.fake_tensors import TorchDispatchMode
from tlx._compat.operations import READS_A_NUMBER

_ATEN = torch.ops.aten
_KINDS = (_ATEN.nonzero, _ATEN._unique2, _ATEN.unique_dim, _ATEN.bincount, _ATEN.masked_select, _ATEN.equal)


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation inside that a GPU would be waited for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it."""
        masks = func._overloadpacket is _ATEN.index and any(
            one is not None and one.dtype == torch.bool for one in args[1]
        )
        if func is READS_A_NUMBER or func._overloadpacket in _KINDS or masks:
            self.found.append(func.name())
        return func(*args, **(kwargs or {}))
