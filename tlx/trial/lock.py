"""One process at a time in a folder: a lock that its owner's death lets go of, and that says who holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tlx.config.errors import ConfigError, Problem

FILE = "lock"
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
_PATIENCE, _PAUSE = 0.2, 0.02  # seconds: whoever only looks at it holds it for a moment


class Busy(RuntimeError):
    """Another process works in this folder."""


@contextmanager
def locked(folder: Path, name: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold a folder's lock; raises :class:`Busy`, which names the owner, if another process does for so many seconds,
    and :class:`ConfigError` where nothing can be written.

    The kernel takes it from a process that has died, on a network file system once its host is given up: there are no
    stale locks to remove. Raises ``OSError`` where the file system has no locks.
    """
    with _opened(folder) as stream:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(f"{name} is being run by {owner(folder) or 'another process'}") from None
                time.sleep(_PAUSE)
        stream.truncate(0)
        stream.write(_myself())
        stream.flush()
        yield


def _opened(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / FILE).open("a+", encoding="utf-8")
    except OSError as error:
        if error.errno not in _CLOSED:
            raise
        message = f"cannot be written to ({error.strerror}); name another with output=..."
        raise ConfigError([Problem("output", message, folder.parent)]) from error


def is_locked(folder: Path) -> bool:
    """Does another process hold the lock now?"""
    try:
        with (folder / FILE).open(encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def owner(folder: Path) -> str:
    """Who holds the lock, or held it last; empty where nobody ever did."""
    path = folder / FILE
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _myself() -> str:
    job = os.environ.get("SLURM_JOB_ID", "")
    return f"process {os.getpid()} on {socket.gethostname()}" + (f", Slurm job {job}" if job else "")
