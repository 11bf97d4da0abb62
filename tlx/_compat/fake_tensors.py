"""Running a module on shapes alone, without the compiler that torch imports to turn a real tensor into a fake one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["FakeTensor", "FakeTensorMode", "TorchDispatchMode", "failures_untold", "fake", "fake_parameters"]
_LOG = logging.getLogger("torch._subclasses.fake_tensor")


def fake(value: Any) -> Any:
    """Make a fake tensor like a real one, within a ``FakeTensorMode``; what is no tensor is given back."""
    if not isinstance(value, Tensor) or isinstance(value, FakeTensor):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device)


@contextmanager
def failures_untold() -> Iterator[None]:
    """Keep torch from printing the trace of an operation that fails inside, which whoever asks catches."""
    before, _LOG.disabled = _LOG.disabled, True
    try:
        yield
    finally:
        _LOG.disabled = before


@contextmanager
def fake_parameters(module: nn.Module) -> Iterator[None]:
    """Have a module's parameters and buffers be fake inside, within a ``FakeTensorMode``."""
    tensors = {name: fake(tensor) for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    with _reparametrize_module(module, tensors):
        yield
