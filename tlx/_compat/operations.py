"""What torch knows of its operations, as a dispatch mode sees them, and of the memory they work on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tlx._compat.flop_counter import flop_registry

READS_A_NUMBER = torch.ops.aten._local_scalar_dense.default  # what ``tensor.item()`` is


def flops(func: Any, args: Any, kwargs: Any, output: Any) -> float:
    """Count floating point operations as torch's counter does; 0 for an operation that it does not count."""
    counter = flop_registry.get(func._overloadpacket)
    return float(counter(*args, **kwargs, out_val=output)) if counter is not None else 0.0


def is_mutable(func: Any) -> bool:
    """Does an operation write to what it is given?"""
    return bool(func._schema.is_mutable)


def argument(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    """The value of an argument of a call, its default where none is given; None where there is no such argument."""
    for place, one in enumerate(func._schema.arguments):
        if one.name == name:
            return args[place] if place < len(args) else kwargs.get(name, one.default_value)
    return None


def storage_of(tensor: Tensor) -> int:
    """A number for the memory behind a tensor, the same for all of its views while one of them is held."""
    return int(tensor.untyped_storage()._cdata)
