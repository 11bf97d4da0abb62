"""torch's counter of floating point operations, without Triton: it asks for one class of it, to tell kernels by.

Importing Triton takes longer than the rest of the counter and, once imported, as long again at the end of the process.
Instances of the class exist only where Triton was imported by whoever made them, and these are known as before.
"""

from __future__ import annotations

import sys
from types import ModuleType

_TRITON = "triton.runtime.jit"


class _KnowsLater(type):
    """A class whose instances are those of a class of a module that may not have been imported yet."""

    def __instancecheck__(cls, instance: object) -> bool:
        real = getattr(sys.modules.get(_TRITON), "JITFunction", None)
        return isinstance(real, type) and real is not cls and isinstance(instance, real)


class _JITFunction(metaclass=_KnowsLater):
    """Stands for Triton's compiled kernels."""


def _import_counter() -> ModuleType:
    if _TRITON in sys.modules:
        from torch.utils import flop_counter

        return flop_counter
    stand_in = ModuleType(_TRITON)
    vars(stand_in)["JITFunction"] = _JITFunction
    sys.modules[_TRITON] = stand_in
    try:
        from torch.utils import flop_counter
    finally:
        del sys.modules[_TRITON]
    return flop_counter


_counter = _import_counter()
FlopCounterMode = _counter.FlopCounterMode
flop_registry = _counter.flop_registry
