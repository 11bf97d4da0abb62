"""Everything that is looked up by name: its options, its code, its numerics version, and what it can do.

What tlx brings is registered in :mod:`tlx.components.builtin`, in the way open to everybody.
"""

from tlx.components import builtin, register

__all__ = ["builtin", "register"]
