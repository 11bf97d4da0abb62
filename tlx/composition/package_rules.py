"""Whether the packages are there that the chosen parts need beside tlx's own dependencies."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

from tlx.components.parts import loggers
from tlx.config.errors import ConfigIssue


def packages_of_loggers_are_there(config: Any) -> Iterator[ConfigIssue]:
    """What each logger imports is installed; nothing of it is imported here."""
    for key, part in loggers(config):
        missing = dict.fromkeys(wanted for name, wanted in part.packages.items() if not _is_installed(name))
        if missing:
            yield ConfigIssue(key, f"needs more packages: pip install {' '.join(map(repr, missing))}")


def _is_installed(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None
