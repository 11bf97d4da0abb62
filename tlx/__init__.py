"""tlx: declarative, reproducible transfer-learning experiments.

``compose`` turns overrides into a checked configuration, ``train`` runs it, ``load`` brings a trained model back;
``register`` makes parts of one's own known.
The names are resolved on first use, so that importing ``tlx`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tlx._compat import lazy_imports
from tlx.version import VERSION as __version__

__all__ = ["__version__", "compose", "load", "register", "train"]

lazy_imports.install()
_HOMES = {
    "compose": "tlx.composition.compose",
    "train": "tlx.training.runner",
    "load": "tlx.serving.find",
    "register": "tlx.components",
}

if TYPE_CHECKING:
    from tlx.components import register
    from tlx.composition.compose import compose
    from tlx.serving.find import load
    from tlx.training.runner import train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlx' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
