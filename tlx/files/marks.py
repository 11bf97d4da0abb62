"""The mark of what tlx made. A folder without it is somebody else's: it is neither adopted nor is anything removed.

The mark is a file ``.tlx`` whose first line says what the folder is. It is written when tlx makes the folder, or finds
it empty. Folders are removed by :func:`discard` alone, which takes a marked folder with files of known names and
nothing else in it, and removes it file by file.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tlx.files import durable, foreign

MARK = ".tlx"
_HEAD = "tlx: "
_SHOWN = 3  # names of what is in the way
Folders = Mapping[str, tuple[re.Pattern[str], str]]  # marked ones in a folder, each with its files' names and kind
_BEING_MARKED = re.compile(rf"\.{re.escape(MARK)}\.[0-9a-f]{{8}}\.partial")


class NotOurs(ValueError):
    """A folder was not made by tlx; the message says what is in the way."""


def claim(folder: Path, kind: str) -> None:
    """Make a folder tlx's own, or see that it is; raises :class:`NotOurs`, and ``OSError`` where it cannot be made."""
    if is_marked(folder, kind):
        return
    if reason := obstacle(folder, kind):
        raise NotOurs(reason)
    mark(folder, kind)


def mark(folder: Path, kind: str) -> None:
    """Make a folder, if need be, and put the mark into it."""
    durable.make_folder(folder)
    durable.write(folder / MARK, f"{_HEAD}{kind}\nMade by tlx, which removes nothing here but what it wrote.\n")


def is_marked(folder: Path, kind: str) -> bool:
    """Does the folder carry tlx's mark of this kind?"""
    return _kind(folder) == kind


def obstacle(folder: Path, kind: str) -> str:
    """Why a folder cannot be tlx's own; empty where it is, or can become it. Nothing is written."""
    if is_marked(folder, kind):
        return ""
    if reason := precious(folder):
        return reason
    if (found := _kind(folder)) is not None:
        return f"is tlx's folder of another kind ({found})"
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        return "is not a folder"
    except OSError as error:
        return f"cannot be looked into ({error.strerror})"
    names = [name for name in names if not _BEING_MARKED.fullmatch(name)]
    if not names or is_marked(folder, kind):  # another process was just making it
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"holds what tlx did not make: {', '.join(names[:_SHOWN])}{more}"


def precious(folder: Path) -> str:
    """Why nobody can want a folder filled by a program: the root, a home, or a folder above a home; else empty."""
    place = folder.expanduser().resolve()
    homes = {Path(os.path.expanduser("~")).resolve()}
    with suppress(KeyError):  # a user without an entry, in a container
        homes.add(Path(pwd.getpwuid(os.getuid()).pw_dir).resolve())
    if place == Path(place.anchor):
        return "is the root of the file system"
    if place in homes - {Path(place.anchor)}:
        return "is a home folder"
    if any(place in home.parents for home in homes):
        return "is a folder of homes"
    return ""


def is_own(folder: Path, names: re.Pattern[str], kind: str) -> bool:
    """Is it a real folder with the mark of this kind, and nothing in it but files of tlx's names?"""
    try:
        return is_marked(folder, kind) and not stranger(folder, names)
    except OSError:  # a link, no folder, or gone
        return False


def stranger(folder: Path, names: re.Pattern[str], inner: Folders | None = None) -> str:
    """Find what a folder holds besides the mark and regular files of these names; empty where there is nothing.

    Args:
        folder: A folder of tlx's.
        names: Of its files.
        inner: Folders in it that are tlx's own, where they are real and have their mark and their files alone.

    Raises:
        OSError: It is a link, no folder, gone, or cannot be looked into.
    """
    with _opened(folder) as handle:
        for name in sorted(os.listdir(handle)):
            if inner is not None and name in inner:
                if not (is_own(folder / name, *inner[name]) or _is_emptied(folder / name)):
                    return name
                continue
            own = name == MARK or names.fullmatch(name) is not None
            if not own or not stat.S_ISREG(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
                return name
    return ""


def discard(folder: Path, names: re.Pattern[str], kind: str) -> bool:
    """Remove a folder that is tlx's own (see :func:`is_own`), file by file; returns whether it is gone.

    Where anything else is in it, all of it stays. One that a removal left empty when it was killed goes as well.
    """
    try:
        with _opened(folder) as handle:
            found = os.listdir(handle)
    except FileNotFoundError:
        return True
    except OSError:  # a link, or no folder
        return False
    if found and not is_own(folder, names, kind):
        return False
    remove_files(folder, names)
    return True


def remove_files(folder: Path, names: re.Pattern[str], inner: Folders | None = None) -> None:
    """Remove a folder and its files of these names, where a :func:`stranger` was looked for before.

    Args:
        folder: A folder of tlx's.
        names: Of its files.
        inner: Folders in it that are removed as well, in the same way.

    Raises:
        OSError: It is a link or no folder, somebody has put something else into it meanwhile, or the disk refuses.
    """
    for name, (of_inner, kind) in (inner or {}).items():
        discard(folder / name, of_inner, kind)
    with _opened(folder) as handle:
        own = [name for name in os.listdir(handle) if name == MARK or names.fullmatch(name) is not None]
        for name in sorted(own, key=lambda name: name == MARK):  # the mark last: what is left can be gone on with
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=handle)
    with suppress(FileNotFoundError):
        os.rmdir(folder)


def _is_emptied(folder: Path) -> bool:
    """Is it what a removal leaves that was killed at its very end?"""
    try:
        with _opened(folder) as handle:
            return not os.listdir(handle)
    except OSError:
        return False


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A real folder, held open: what is done in it is not done elsewhere when its name comes to mean something else."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _kind(folder: Path) -> str | None:
    try:
        first = foreign.text(folder / MARK, 4096).partition("\n")[0]
    except (FileNotFoundError, foreign.Unreadable):
        return None
    return first.removeprefix(_HEAD) if first.startswith(_HEAD) else None
