"""Build a network that a stranger configured, and stop as soon as it is larger than the weights that come with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as hooks

_PARTS, _SPARE_PARTS = 32, 4096  # modules for each tensor of the file, and those without tensors
_TENSORS, _SPARE_TENSORS = 4, 256  # registered for each one that stays: layers are replaced, and adapters put in
_BYTES, _SPARE_BYTES = 4, 16 << 20


class TooLarge(Exception):
    """A configuration asks for more than its weights fill."""


class _Growth:
    def __init__(self, tensors: int, size: int) -> None:
        self.thread = threading.get_ident()
        self.parts = tensors * _PARTS + _SPARE_PARTS
        self.tensors = tensors * _TENSORS + _SPARE_TENSORS
        self.bytes = size * _BYTES + _SPARE_BYTES

    def part(self, module: nn.Module, name: str, child: Any) -> None:
        if threading.get_ident() == self.thread:  # the hooks are those of all threads
            self.parts -= 1
            self._check()

    def tensor(self, module: nn.Module, name: str, value: Tensor | None) -> None:
        if value is not None and threading.get_ident() == self.thread:
            self.tensors -= 1
            self.bytes -= value.numel() * value.element_size()
            self._check()

    def _check(self) -> None:
        if min(self.parts, self.tensors, self.bytes) < 0:
            raise TooLarge("it asks for a network that is larger than its weights")


@contextmanager
def bounded(tensors: int, size: int) -> Iterator[None]:
    """Bound the networks that this thread builds in the block.

    Args:
        tensors: How many the file of weights holds.
        size: Their bytes.

    Raises:
        TooLarge: From within the constructor that goes beyond.
    """
    growth = _Growth(tensors, size)
    handles = [
        hooks.register_module_module_registration_hook(growth.part),
        hooks.register_module_parameter_registration_hook(growth.tensor),
        hooks.register_module_buffer_registration_hook(growth.tensor),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
