"""The files below a folder, in one pass that asks the system once for each."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

_OF_SYSTEMS = ("__macosx", "thumbs.db", "desktop.ini")  # of macOS's archives and of Windows


@dataclass
class Tree:
    """A folder to walk through, and what was found in it that is neither file nor folder.

    Links to files are files. Links to folders are not followed, as they may lead in circles; only ``top`` may be one.
    What :func:`is_hidden` is skipped.
    """

    top: str
    special: list[str] = field(default_factory=list)  # pipes, sockets, devices, links that lead nowhere
    closed: list[str] = field(default_factory=list)  # folders that may not be looked into
    hidden: list[str] = field(default_factory=list)  # files and folders; what is in these is not counted
    links: list[str] = field(default_factory=list)  # to folders
    folders: list[str] = field(default_factory=list)  # that were looked into, ``top`` not

    def files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Every regular file as (path below ``top``, entry), ordered part by part as :class:`pathlib.Path` orders.

        Raises:
            OSError: A folder cannot be looked into for another reason than that it is not permitted.
        """
        waiting = [("", iter(self._entries("")))]  # a stack of its own: folders may lie deeper than Python recurses
        while waiting:
            above, entries = waiting[-1]
            entry = next(entries, None)
            if entry is None:
                waiting.pop()
                continue
            name = above + entry.name
            if is_hidden(entry.name):
                self.hidden.append(name)
            elif entry.is_dir(follow_symlinks=False):
                self.folders.append(name)
                waiting.append((f"{name}/", iter(self._entries(name))))
            elif is_file(entry):
                yield name, entry
            else:
                (self.links if leads_to_folder(entry) else self.special).append(name)

    def _entries(self, name: str) -> list[os.DirEntry[str]]:
        place = os.path.join(self.top, name) if name else self.top
        try:
            with os.scandir(place) as found:
                return sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM):
                raise
            self.closed.append(name or ".")
            return []


def is_hidden(name: str) -> bool:
    """Did a program or a system leave it there for itself? Names with a dot at the front, and those that others use."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def is_file(entry: os.DirEntry[str]) -> bool:
    """Is it a regular file, or a link to one? A link in a circle, or to nothing, is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    """Is it a folder, or a link to one?"""
    try:
        return entry.is_dir()
    except OSError:
        return False


def kind(path: str) -> str:
    """What a path that is neither file nor folder is, for a message."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return "a link that leads nowhere"
    for test, word in ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            return word
    return "a device"
