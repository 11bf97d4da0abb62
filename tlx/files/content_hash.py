"""The hash of a file's content, computed once in a process while the file stays as it is."""

from __future__ import annotations

import hashlib
import os
import time
from functools import lru_cache
from pathlib import Path

from tlx.files import regular

_TICK = 20_000_000  # ns: two changes within one tick of the kernel's clock have one time of change


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; remembered in this process for as long as its :func:`state` stays.

    Raises:
        OSError: It is no regular file, or cannot be read.
    """
    found = regular.look(path)
    if not is_settled(found):
        return _hash(os.path.abspath(path))
    return _content_hash(os.path.abspath(path), state(found))


def state(found: os.stat_result) -> str:
    """What a content hash is remembered under, besides the file's name.

    Size and time of modification alone can be those of other bytes: both are put back by programs that copy and pack
    files. The time of change, which no program sets, the inode and the device are other ones then.
    """
    return f"{found.st_size}|{found.st_mtime_ns}|{found.st_ctime_ns}|{found.st_ino}|{found.st_dev}"


def is_settled(found: os.stat_result) -> bool:
    """Would a change from now on be seen in :func:`state`? Not within the tick of the clock of the last one."""
    return abs(time.time_ns() - found.st_ctime_ns) > _TICK


@lru_cache(maxsize=1 << 18)
def _content_hash(path: str, _state: str) -> str:
    return _hash(path)


def _hash(path: str) -> str:
    with regular.opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
