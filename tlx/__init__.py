"""tlx: declarative, reproducible transfer-learning experiments.

``compose`` turns overrides into a checked configuration, ``train`` runs it, ``load`` brings a trained model back.
The names are resolved on first use, so that importing ``tlx`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tlx._compat import lazy_imports

__version__ = "0.1.0"
__all__ = ["compose", "load", "train"]

lazy_imports.install()
_HOMES = {"compose": "tlx.config.compose", "train": "tlx.trial.story", "load": "tlx.trial.checkpoint"}

if TYPE_CHECKING:
    from tlx.config.compose import compose
    from tlx.trial.checkpoint import load
    from tlx.trial.story import train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlx' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
