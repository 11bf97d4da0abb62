"""Write files so that a kill, a full disk or a power cut leaves the old content or the new one, never a part of it.

The order of settling is always the same: content, ``fsync`` of the file, rename over its name, ``fsync`` of the folder.
A file that exists is therefore whole, and what was written before it is on the disk as well. Nothing is written through
a symbolic link: the new file takes the place of the link, and what the link led to stays as it is.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_PARTIAL = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.partial")  # what a writer that was killed leaves behind


def write(path: Path, content: str | bytes) -> None:
    """Write a whole file.

    Args:
        path: Where; its folder exists.
        content: All of it; text is encoded as UTF-8.

    Raises:
        OSError: The disk refuses; the old content is still there then.
    """
    with replacing(path) as partial, partial.open("wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def is_new_or_empty(folder: Path) -> bool:
    """Is nothing there yet, or a real folder with nothing in it?"""
    if folder.is_symlink() or not folder.exists():
        return not folder.is_symlink()
    return folder.is_dir() and not any(folder.iterdir())


@contextmanager
def replacing_aside(path: Path) -> Iterator[Path]:
    """Let a library write a file in a folder of its own, for those that leave other files beside what they write.

    Otherwise as :func:`replacing`.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    aside.mkdir()
    try:
        with replacing(path) as partial:
            yield aside / path.name
            os.replace(aside / path.name, partial)
    finally:
        _empty(aside)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let any library write a file beside its place, and put it there when the block ends without an error.

    The file has the permissions that the umask grants, whatever the library would choose.

    Example:
        >>> with replacing(folder / "model.safetensors") as partial:
        ...     save_file(tensors, partial)
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    mode = os.fstat(handle).st_mode & 0o777
    os.close(handle)
    try:
        yield partial
        os.chmod(partial, mode)
        _sync(partial, os.O_NOFOLLOW)
        os.replace(partial, path)
    except BaseException:  # what is there of it would only fill the disk
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def appending(path: Path) -> BinaryIO:
    """Open a file to append to (and to read), never through a link; a new one has its name on the disk.

    Raises:
        OSError: With ``ELOOP`` where the name is a symbolic link.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fresh = not path.exists()
    handle = os.open(path, flags | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    stream = os.fdopen(handle, "a+b")
    if fresh:
        try:
            sync_folder(path.parent)
        except BaseException:
            stream.close()
            raise
    return stream


def make_folder(path: Path) -> None:
    """Make a folder and those above it, each with its name on the disk; one that is there is left as it is."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was quicker
            folder.mkdir()
        sync_folder(folder.parent)


def move(old: Path, new: Path) -> None:
    """Rename, on the disk before it returns."""
    old.rename(new)
    sync_folder(new.parent)
    if old.parent != new.parent:
        sync_folder(old.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    _sync(folder, os.O_DIRECTORY)


def left_over(folder: Path, names: Collection[str]) -> list[Path]:
    """What writers that were killed left beside files of these names."""
    with os.scandir(folder) as entries:
        found = {entry.path: _PARTIAL.fullmatch(entry.name) for entry in entries}
    return [Path(path) for path, match in found.items() if match is not None and match["name"] in names]


def sweep(folder: Path, names: Collection[str]) -> None:
    """Remove what is left over of these files; nobody may be writing them."""
    for path in left_over(folder, names):
        if path.is_dir() and not path.is_symlink():
            _empty(path)
        else:
            path.unlink()


def _empty(aside: Path) -> None:
    """Remove a folder that :func:`replacing_aside` made, and the files a library left in it."""
    for path in aside.iterdir():
        if not path.is_dir() or path.is_symlink():
            path.unlink()
    with suppress(OSError):  # somebody has put a folder into it
        aside.rmdir()


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
