"""One process at a time in a folder: a lock that its owner's death lets go of, and that says who holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.files.printable import printable

FILE = "lock"
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)
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
        with suppress(OSError):  # a full disk: who holds it is only to be told
            stream.truncate(0)
            stream.write(_myself().encode())
        yield


def _opened(folder: Path) -> BinaryIO:
    try:
        if folder.is_symlink():
            raise OSError(errno.ELOOP, "it is a symbolic link, and tlx writes through none")
        durable.make_folder(folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(folder / FILE, flags, 0o666), "r+b", buffering=0)
    except OSError as error:
        if error.errno not in _CLOSED:
            raise
        message = f"cannot be written to ({error.strerror}); name another with output=..."
        raise ConfigError([ConfigIssue("output", message, folder)]) from error


def is_locked(folder: Path) -> bool:
    """Does another process hold the lock now?"""
    try:
        with foreign.reading(folder / FILE) as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, foreign.Unreadable):
        return False
    except BlockingIOError:
        return True
    return False


def owner(folder: Path) -> str:
    """Who holds the lock, or held it last; empty where nobody ever did."""
    try:
        return printable(foreign.text(folder / FILE, 4096).strip())
    except (FileNotFoundError, foreign.Unreadable):
        return ""


def _myself() -> str:
    job = os.environ.get("SLURM_JOB_ID", "")
    return f"process {os.getpid()} on {socket.gethostname()}" + (f", Slurm job {job}" if job else "")
