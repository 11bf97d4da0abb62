"""The store of frozen prefixes on disk: found by content, filled once, never read half-written, kept under a budget.

Each entry is a folder named by its key, written aside and renamed when whole. One lock is held while it is filled, so
that two processes never do the same work; another is shared by those who read it, so that what is in use is never
evicted. The kernel lets go of a lock when its process dies. Locks are ``flock``: a network drive has to know them.

The store and each entry carry tlx's mark (:mod:`tlx.files.marks`). What has another name or no mark is somebody else's
and stays, whatever it is.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tlx.feature_cache.cut import NotCacheable
from tlx.feature_cache.entry import META, CorruptEntryError, Meta, read_meta, write_meta
from tlx.files import durable, marks

KIND, _ENTRY = "feature cache", "feature cache entry"
_ASIDE = ".filling"
_KEY = "[0-9a-f]{32}"
_NAMES = re.compile(_KEY)
_PARTS = re.compile(rf"{_KEY}\.[0-9a-f]{{8}}")
_LOCKS = re.compile(rf"({_KEY})\.(fill|pin)\.lock")
_FILES = re.compile(rf"{re.escape(META)}|[0-9]+-[0-9]+\.npy|\.{re.escape(META)}\.[0-9a-f]{{8}}\.partial")
_SPARE = 1 << 28  # bytes left free on the disk


class CacheFull(NotCacheable):
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
        """Nothing is made before something is to be kept."""
        self.root = root.absolute()
        self.budget = budget

    @contextmanager
    def filling(self, keys: list[str]) -> Iterator[list[str]]:
        """Which of these are still to be filled; others that want to fill them wait until this is over."""
        with ExitStack() as stack:
            for key in sorted(keys):  # in one order, so that nobody waits in a circle
                stack.enter_context(self._lock(key, _FILL))
                for left in self._aside(key):  # by one that died
                    self.drop(left)
            yield [key for key in keys if not self.has(key)]

    def has(self, key: str) -> bool:
        """Is the entry there?"""
        return (self.root / key / META).is_file()

    def aside(self, key: str) -> Path:
        """A new folder to write an entry in."""
        folder = self._new(key)
        marks.mark(folder, _ENTRY)
        return folder

    def drop(self, folder: Path) -> None:
        """Remove what was written aside; what has been published has another name by now."""
        marks.discard(folder, _FILES, _ENTRY)

    def publish(self, key: str, folder: Path, meta: Meta) -> None:
        """Make a written entry one that is found."""
        write_meta(folder, meta)
        if (self.root / key).exists():  # without its description, or it would have been found
            self.discard(key)
        durable.move(folder, self.root / key)

    @contextmanager
    def reading(self, key: str) -> Iterator[Path]:
        """The folder of an entry, kept from eviction; raises :class:`CorruptEntryError` if there is none."""
        with self._lock(key, _PIN, fcntl.LOCK_SH):
            if not self.has(key):
                raise CorruptEntryError(f"{key}: not there")
            os.utime(self.root / key / META)  # used now
            yield self.root / key

    def discard(self, key: str) -> None:
        """Remove an entry that is damaged; those who read it keep their open files. What is not tlx's stays."""
        if not marks.is_own(self.root / key, _FILES, _ENTRY):
            return
        gone = self._new(key)
        try:
            durable.move(self.root / key, gone)
        except FileNotFoundError:  # somebody else was quicker
            return
        self.drop(gone)

    def make_room(self, wanted: int) -> None:
        """Evict what was used least recently until ``wanted`` more bytes fit; raises :class:`CacheFull`."""
        if wanted > self.budget:
            raise CacheFull(f"needs {wanted / 1e9:.2g} GB, reuse.disk allows {self.budget / 1e9:.2g} GB")
        self._claim()
        self.prune(self.budget - wanted)
        held = sum(found.meta.bytes for found in self.entries())
        if held + wanted > self.budget:
            raise CacheFull(f"needs {wanted / 1e9:.2g} GB, but {held / 1e9:.2g} GB are in use")
        if shutil.disk_usage(self.root).free < wanted + _SPARE:
            raise CacheFull(f"needs {wanted / 1e9:.2g} GB, and the disk is nearly full")

    def entries(self) -> list[Found]:
        """Every whole entry, the least recently used first."""
        found = []
        for folder in self._folders(self.root, _NAMES):
            try:
                meta, used = read_meta(folder), (folder / META).stat().st_mtime
            except (
                CorruptEntryError,
                FileNotFoundError,
            ):  # evicted this moment, or to be found damaged by who reads it
                continue
            found.append(Found(folder.name, meta, used, not self._alone(folder.name, _PIN, lambda: None)))
        return sorted(found, key=lambda one: one.used)

    def prune(self, limit: int, said: Callable[[Found], Any] = lambda found: None) -> int:
        """Evict the least recently used that nobody uses until at most ``limit`` bytes are left; the bytes freed."""
        self._sweep_up()
        entries = self.entries()
        total, freed = sum(one.meta.bytes for one in entries), 0
        for one in entries:
            if total - freed <= limit:
                break
            if self._alone(one.key, _PIN, partial(self.discard, one.key)) and not self.has(one.key):
                freed += one.meta.bytes
                said(one)
        return freed

    def _sweep_up(self) -> None:
        """Remove what fills that died left behind, entries that cannot be read, and the locks of what is gone."""
        if not marks.is_marked(self.root, KIND):
            return
        for folder in self._folders(self.root, _NAMES):
            try:
                read_meta(folder)
            except CorruptEntryError:
                self._alone(folder.name, _PIN, partial(self.discard, folder.name))
        for folder in self._aside():
            self._alone(folder.name.partition(".")[0], _FILL, partial(self.drop, folder))
        for file in self.root.iterdir():
            lock = _LOCKS.fullmatch(file.name)
            if lock is not None and not self.has(lock[1]) and _is_empty(file):
                self._alone(lock[1], lock[2], file.unlink)

    def _aside(self, key: str = "") -> list[Path]:
        """Folders that are being filled, or were (for a key)."""
        return [one for one in self._folders(self.root / _ASIDE, _PARTS) if one.name.startswith(key)]

    def _new(self, key: str) -> Path:
        """A name in the folder for what is not, or no longer, an entry."""
        self._claim()
        parent = self.root / _ASIDE
        if parent.is_symlink():
            raise NotCacheable(f"{parent} is a symbolic link")
        durable.make_folder(parent)
        return parent / f"{key}.{uuid.uuid4().hex[:8]}"

    def _claim(self) -> None:
        """Make the store, or see that it is one; raises :class:`NotCacheable` for a folder that is somebody else's."""
        try:
            marks.claim(self.root, KIND)
        except marks.NotOurs as reason:
            raise NotCacheable(f"{self.root} {reason}") from None

    @staticmethod
    def _folders(root: Path, names: re.Pattern[str]) -> list[Path]:
        """The real folders of such names; those without a mark can be found, but never removed."""
        if root.is_symlink() or not root.is_dir():
            return []
        with os.scandir(root) as found:
            return sorted(
                Path(one.path) for one in found if names.fullmatch(one.name) and one.is_dir(follow_symlinks=False)
            )

    def _alone(self, key: str, kind: str, act: Callable[[], Any]) -> bool:
        """Do something unless another process holds this lock."""
        try:
            with self._lock(key, kind, _AT_ONCE):
                act()
        except FileNotFoundError:  # somebody else did it first
            return True
        except OSError:  # held by another, or a lock that cannot be had: it is left alone
            return False
        return True

    @contextmanager
    def _lock(self, key: str, kind: str, how: int = fcntl.LOCK_EX) -> Iterator[None]:
        path = self.root / f"{key}.{kind}.lock"
        while True:
            self._claim()
            with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "rb") as stream:
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


def _is_empty(file: Path) -> bool:
    """Is it a file without content, as locks are?"""
    try:
        found = file.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0
