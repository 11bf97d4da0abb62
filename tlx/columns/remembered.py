"""What was found out about data before, kept in the cache: JSON by kind and key. The cache is optional.

Whatever is wrong with it, it is as good as empty: a file that is torn, altered or of another form is none, and where
nothing can be written the caller is told, says so once and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlx.config.cache import cache_folder
from tlx.files import durable, foreign
from tlx.files.regular import reason

_MOST = 512 << 20  # bytes: about three million files


def load(kind: str, key: str, form: Any) -> Any:
    """What is remembered, or ``None``.

    Args:
        kind: A folder of the cache (``hashes``, ``vetted``).
        key: Letters and digits that name the data.
        form: Of the value, as :func:`tlx.files.foreign.conforms` takes it.
    """
    try:
        return foreign.json_file(_file(kind, key), form, _MOST)
    except (OSError, foreign.Unreadable):
        return None


def store(kind: str, key: str, value: Mapping[str, Any]) -> str:
    """Remember a value; returns why it cannot be kept, or nothing."""
    try:
        durable.write(_file(kind, key), json.dumps(value, separators=(",", ":")))
    except OSError as error:
        return f"the cache cannot be written ({reason(error)}); set TLX_CACHE to a folder that can"
    return ""


def _file(kind: str, key: str) -> Path:
    return cache_folder(kind) / f"{key}.json"
