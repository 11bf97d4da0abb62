"""tlx: declarative, reproducible transfer-learning experiments.

``compose`` turns overrides into a checked configuration; ``plan`` says what it would do, ``train`` runs it, ``sweep``
runs many, ``results`` puts them into a table, and ``load`` brings a trained model back. ``dataset_from`` makes arrays,
texts and tables of one's own a data set; ``register`` makes parts of one's own known.
The names are resolved on first use, so that importing ``tlx`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tlx._compat import lazy_imports
from tlx.version import VERSION as __version__

__all__ = ["__version__", "compose", "dataset_from", "load", "plan", "register", "results", "sweep", "train"]

lazy_imports.install()
_HOMES = {
    "compose": "tlx.composition.compose",
    "dataset_from": "tlx.api.dataset_from",
    "plan": "tlx.api.plan",
    "train": "tlx.api.train",
    "sweep": "tlx.api.sweep",
    "results": "tlx.api.results",
    "load": "tlx.serving.find",
    "register": "tlx.components",
}

if TYPE_CHECKING:
    from tlx.api.dataset_from import dataset_from
    from tlx.api.plan import plan
    from tlx.api.results import results
    from tlx.api.sweep import sweep
    from tlx.api.train import train
    from tlx.components import register
    from tlx.composition.compose import compose
    from tlx.serving.find import load


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tlx' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
