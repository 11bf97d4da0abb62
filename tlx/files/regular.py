"""Regular files alone are opened: opening a pipe waits for a writer, and a device may have no end."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRegular(OSError):
    """What a path leads to is no regular file; the message says what it is."""


def look(path: str | Path) -> os.stat_result:
    """What is known of a regular file, links followed; nothing is opened.

    Raises:
        NotRegular: It is a folder, a pipe, a socket or a device.
        OSError: There is none, or it may not be looked at.
    """
    found = os.stat(path)
    _refuse(found)
    return found


def opened(path: str | Path) -> BufferedReader:
    """Open a regular file to read; raises as :func:`look` does, without ever waiting."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse(os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def reason(error: OSError | ValueError) -> str:
    """Why a path cannot be read, without the path; a ``ValueError`` is a name that no file can have."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)


def _refuse(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise NotRegular(f"expected a regular file, found {kind}")
