"""What a forward and a backward pass of a network cost, counted on shapes alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tlx._compat.fake_tensors import FakeTensorMode
from tlx._compat.flop_counter import FlopCounterMode
from tlx._compat.operations import storage_of
from tlx.tasks.whole import WholeNetwork


def pass_cost(model: nn.Module, count: int) -> tuple[float, float, float]:
    """FLOPs forward and backward, and bytes saved for backward, of ``count`` examples.

    Each is NaN where a model owns its loss and asks for values: what it costs nobody knows.
    """
    saved: dict[int, int] = {}
    own: set[int] = set()

    def keep(tensor: Tensor) -> Tensor:
        if (storage := storage_of(tensor)) not in own:
            saved[storage] = tensor.untyped_storage().nbytes()
        return tensor

    # fake tensors, as transformers looks into a mask unless it knows there are no values in it
    fake, hooks = FakeTensorMode(allow_non_fake_inputs=True), torch.autograd.graph.saved_tensors_hooks
    with fake, torch.device("meta"), hooks(keep, lambda tensor: tensor):
        # made here, as torch imports its compiler to turn a tensor into a fake one
        tensors = {name: _like(tensor) for name, tensor in (*model.named_parameters(), *model.named_buffers())}
        own |= {storage_of(tensor) for tensor in tensors.values()}
        try:
            with FlopCounterMode(display=False) as forward:
                outputs = functional_call(model, tensors, (model.example(count),))  # type: ignore[operator]
            with FlopCounterMode(display=False) as backward:
                outputs.sum().backward()
        except Exception:  # foreign code, asked to run without values
            if not isinstance(model, WholeNetwork):
                raise
            return math.nan, math.nan, math.nan
    return float(forward.get_total_flops()), float(backward.get_total_flops()), float(sum(saved.values()))


def _like(tensor: Tensor) -> Tensor:
    """A tensor without values, of the same shape, strides and kind."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, requires_grad=tensor.requires_grad)
