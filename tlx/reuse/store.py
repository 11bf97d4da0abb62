"""The store of frozen prefixes on disk: found by content, filled once, never read half-written, kept under a budget.

Each entry is a folder named by its key, written aside and renamed when whole. One lock is held while it is filled, so
that two processes never do the same work; another is shared by those who read it, so that what is in use is never
evicted. The kernel lets go of a lock when its process dies. Locks are ``flock``: a network drive has to know them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tlx.reuse.cut import Refused
from tlx.reuse.entry import META, Damaged, Meta, read_meta, write_meta

_ASIDE = ".filling"
_SPARE = 1 << 28  # bytes left free on the disk


class NoRoom(Refused):
    """The budget or the disk has no room for an entry."""


@dataclass(frozen=True)
class Found:
    """An entry as ``tlx reuse ls`` shows it."""

    key: str
    meta: Meta
    used: float  # last, seconds since 1970
    busy: bool


class Store:
    """A folder of entries, at most ``budget`` bytes in all."""

    def __init__(self, root: Path, budget: int) -> None:
        self.root = root
        self.budget = budget

    @contextmanager
    def filling(self, keys: list[str]) -> Iterator[list[str]]:
        """Which of these are still to be filled; others that want to fill them wait until this is over."""
        with ExitStack() as stack:
            for key in sorted(keys):  # in one order, so that nobody waits in a circle
                stack.enter_context(self._lock(key, _FILL))
                for left in (self.root / _ASIDE).glob(f"{key}.*"):  # by one that died
                    shutil.rmtree(left, ignore_errors=True)
            yield [key for key in keys if not self.has(key)]

    def has(self, key: str) -> bool:
        """Is the entry there?"""
        return (self.root / key / META).is_file()

    def aside(self, key: str) -> Path:
        """A new folder to write an entry in."""
        folder = self.root / _ASIDE / f"{key}.{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        return folder

    def publish(self, key: str, folder: Path, meta: Meta) -> None:
        """Make a written entry one that is found."""
        write_meta(folder, meta)
        _sync(folder)
        if (self.root / key).exists():  # without its description, or it would have been found
            self.discard(key)
        folder.rename(self.root / key)
        _sync(self.root)

    @contextmanager
    def reading(self, key: str) -> Iterator[Path]:
        """The folder of an entry, kept from eviction; raises :class:`Damaged` if there is none."""
        with self._lock(key, _PIN, fcntl.LOCK_SH):
            if not self.has(key):
                raise Damaged(f"{key}: not there")
            os.utime(self.root / key / META)  # used now
            yield self.root / key

    def discard(self, key: str) -> None:
        """Remove an entry that is damaged; those who read it keep their open files."""
        gone = self.root / _ASIDE / f"{key}.{uuid.uuid4().hex[:8]}"
        gone.parent.mkdir(parents=True, exist_ok=True)
        try:
            (self.root / key).rename(gone)
        except FileNotFoundError:  # somebody else was quicker
            return
        shutil.rmtree(gone, ignore_errors=True)

    def make_room(self, wanted: int) -> None:
        """Evict what was used least recently until ``wanted`` more bytes fit; raises :class:`NoRoom`."""
        if wanted > self.budget:
            raise NoRoom(f"needs {wanted / 1e9:.2g} GB, reuse.disk allows {self.budget / 1e9:.2g} GB")
        self.root.mkdir(parents=True, exist_ok=True)
        self.prune(self.budget - wanted)
        held = sum(found.meta.bytes for found in self.entries())
        if held + wanted > self.budget:
            raise NoRoom(f"needs {wanted / 1e9:.2g} GB, but {held / 1e9:.2g} GB are in use")
        if shutil.disk_usage(self.root).free < wanted + _SPARE:
            raise NoRoom(f"needs {wanted / 1e9:.2g} GB, and the disk is nearly full")

    def entries(self) -> list[Found]:
        """Every whole entry, the least recently used first."""
        found = []
        for folder in self.root.glob(f"*/{META}") if self.root.is_dir() else ():
            try:
                meta, used = read_meta(folder.parent), folder.stat().st_mtime
            except (Damaged, FileNotFoundError):  # evicted this moment, or to be found damaged by who reads it
                continue
            found.append(Found(folder.parent.name, meta, used, not self._alone(folder.parent.name, _PIN, lambda: None)))
        return sorted(found, key=lambda one: one.used)

    def prune(self, limit: int, said: Callable[[Found], Any] = lambda found: None) -> int:
        """Evict the least recently used that nobody uses until at most ``limit`` bytes are left; the bytes freed."""
        self._sweep_up()
        entries = self.entries()
        total, freed = sum(one.meta.bytes for one in entries), 0
        for one in entries:
            if total - freed <= limit:
                break
            if self._alone(one.key, _PIN, partial(self.discard, one.key)):
                freed += one.meta.bytes
                said(one)
        return freed

    def _sweep_up(self) -> None:
        """Remove what fills that died left behind, what cannot be read, and the locks of what is gone."""
        for folder in [path for path in self.root.glob("*") if path.is_dir() and path.name != _ASIDE]:
            try:
                read_meta(folder)
            except Damaged:
                self._alone(folder.name, _PIN, partial(self.discard, folder.name))
        for folder in (self.root / _ASIDE).glob("*"):
            self._alone(folder.name.partition(".")[0], _FILL, partial(shutil.rmtree, folder))
        for file in self.root.glob("*.lock"):
            key, kind, _ = file.name.split(".")
            if not self.has(key):
                self._alone(key, kind, file.unlink)

    def _alone(self, key: str, kind: str, act: Callable[[], Any]) -> bool:
        """Do something unless another process holds this lock."""
        try:
            with self._lock(key, kind, _AT_ONCE):
                act()
        except BlockingIOError:
            return False
        except FileNotFoundError:  # somebody else did it first
            return True
        return True

    @contextmanager
    def _lock(self, key: str, kind: str, how: int = fcntl.LOCK_EX) -> Iterator[None]:
        path = self.root / f"{key}.{kind}.lock"
        while True:
            self.root.mkdir(parents=True, exist_ok=True)
            with path.open("a") as stream:
                fcntl.flock(stream, how)
                try:
                    if os.fstat(stream.fileno()).st_ino != path.stat().st_ino:
                        continue
                except FileNotFoundError:  # swept up between opening and locking
                    continue
                yield
                return


_FILL, _PIN = "fill", "pin"
_AT_ONCE = fcntl.LOCK_EX | fcntl.LOCK_NB


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
