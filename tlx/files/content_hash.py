"""The hash of a file's content, computed once in a process while the file stays as it is."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from tlx.files import regular


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; remembered in this process for as long as its size and time of change stay.

    Raises:
        OSError: It is no regular file, or cannot be read.
    """
    found = regular.look(path)
    return _content_hash(os.path.abspath(path), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1 << 18)
def _content_hash(path: str, _size: int, _changed: int) -> str:
    with regular.opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
