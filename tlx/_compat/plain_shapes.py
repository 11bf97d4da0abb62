"""What ``torch.fx.experimental.symbolic_shapes`` answers about plain numbers, without importing sympy.

Shapes are symbols only where a ``ShapeEnv`` has made some, which that module defines: for as long as it has not run,
every number that torch asks about, on the meta device or of a fake tensor, is what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SYMBOLS = frozenset({"SymBool", "SymFloat", "SymInt"})  # torch's classes of numbers that are symbols


class GuardOnDataDependentSymNode(RuntimeError):
    """Never raised: there are no symbols."""


def _same(a: Any) -> Any:
    return a


def _equal(x: Any, y: Any) -> bool:
    return list(x) == list(y) if isinstance(x, (tuple, list)) else bool(x == y)


PLAIN: Mapping[str, Callable[..., Any]] = {
    "_iterate_exprs": lambda value: iter(()),
    "_iterate_nodes": lambda value: iter(()),
    "compute_unbacked_bindings": lambda shape_env, *args, **options: None,
    "expect_true": lambda a, skip=0: a,
    "free_symbols": lambda value: set(),
    "free_unbacked_symbols": lambda value: set(),
    "guard_int": _same,
    "guard_or_false": _same,
    "guard_or_true": _same,
    "guard_size_oblivious": _same,
    "guarding_hint_or_throw": _same,
    "has_free_symbols": lambda value: False,
    "has_free_unbacked_symbols": lambda value: False,
    "has_guarding_hint": lambda value: True,
    "is_symbolic": lambda value: False,
    "is_nested_int": lambda value: False,
    "optimization_hint": lambda a, fallback=None: a,
    "statically_known_true": _same,
    "sym_and": lambda *values: all(values),
    "sym_eq": _equal,
    "sym_or": lambda *values: any(values),
}
