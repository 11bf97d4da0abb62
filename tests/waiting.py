"""Who reads a value of a tensor, or a shape that depends on values: on a GPU, that waits for all work before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tlx._compat.fake_tensors import TorchDispatchMode
from tlx._compat.operations import READS_A_NUMBER

_ATEN = torch.ops.aten
_METHODS = ("cpu", "item", "numpy", "tolist")  # of which a tensor on a CPU leaves no trace in its operations
_KINDS = (_ATEN.nonzero, _ATEN._unique2, _ATEN.unique_dim, _ATEN.bincount, _ATEN.masked_select, _ATEN.equal)


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation inside that a GPU would be waited for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Waits:
        for name in _METHODS:
            self._patch.setattr(torch.Tensor, name, self._noting(name, getattr(torch.Tensor, name)))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self._patch.undo()

    def _noting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            self.found.append(name)
            return method(*args, **kwargs)

        return noted

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run it."""
        masks = func._overloadpacket is _ATEN.index and any(
            one is not None and one.dtype == torch.bool for one in args[1]
        )
        if func is READS_A_NUMBER or func._overloadpacket in _KINDS or masks:
            self.found.append(func.name())
        return func(*args, **(kwargs or {}))
