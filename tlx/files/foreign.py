"""Read files that others may have made or altered: every failure is one exception, and nothing grows without limit.

Nothing is read through a symbolic link, from a pipe or from a device, and nothing larger, deeper or, once its aliases
are written out, longer than the limits.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from tlx.files import durable

LARGEST = 64 << 20  # bytes of a file that is read whole
DEEPEST = 64  # lists and mappings within each other
_LONGEST_NAME = 255  # bytes
LONGEST = 200_000  # values of a YAML document, its aliases written out
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HOLDERS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
T = TypeVar("T")


class Unreadable(ValueError):
    """A file or a text is not what it should be; the message says why, in a line."""


def reading(path: Path, *, links: bool = False) -> BinaryIO:
    """Open a regular file to be read; raises as :func:`read` does."""
    try:
        handle = os.open(path, _FLAGS | (0 if links else os.O_NOFOLLOW))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = "is a symbolic link" if isinstance(error, OSError) and error.errno == errno.ELOOP else str(error)
        if links and isinstance(error, OSError):
            reason = str(error.strerror)
        raise Unreadable(reason) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unreadable("is not a regular file")
    return os.fdopen(handle, "rb")


def copy(path: Path, target: Path) -> None:
    """Copy a regular file, whole or not at all; raises as :func:`read` does."""
    with reading(path) as stream, durable.replacing(target) as partial, partial.open("wb") as written:
        shutil.copyfileobj(stream, written)


def read(path: Path, most: int = LARGEST, *, links: bool = False) -> bytes:
    """Read a regular file whole.

    Args:
        path: Where it is.
        most: Bytes it may have.
        links: Read what a symbolic link leads to: only where the user put it there, never in a run folder.

    Raises:
        FileNotFoundError: There is none, or a folder above it is none.
        Unreadable: It is a link, no regular file, larger than ``most`` bytes, or may not be read.
    """
    with reading(path, links=links) as stream:
        length = os.fstat(stream.fileno()).st_size
        if length > most:
            raise Unreadable(f"has {length:,} bytes; at most {most:,} are read")
        try:
            content = stream.read(most + 1)
        except OSError as error:
            raise Unreadable(str(error.strerror)) from error
    if len(content) > most:
        raise Unreadable(f"has more than {most:,} bytes")
    return content


def text(path: Path, most: int = LARGEST, *, links: bool = False) -> str:
    """Read a text in UTF-8; raises as :func:`read` does."""
    try:
        return read(path, most, links=links).decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8 at byte {error.start}") from None


def json_value(content: str | bytes) -> Any:
    """Parse JSON; raises :class:`Unreadable`."""
    try:
        found = json.loads(content)
    except RecursionError:
        raise Unreadable(f"is nested more than {DEEPEST} deep") from None
    except ValueError as error:  # a UnicodeDecodeError is one, and so is an integer of too many digits
        raise Unreadable(f"is not JSON: {str(error).splitlines()[0]}") from None
    if _depth(found) > DEEPEST:
        raise Unreadable(f"is nested more than {DEEPEST} deep")
    return found


def json_file(path: Path, kind: type[T] | Any, most: int = LARGEST) -> Any:
    """Read a JSON file whose value is of a kind (see :func:`conforms`); raises as :func:`read` does."""
    found = json_value(read(path, most))
    if not conforms(found, kind):
        raise Unreadable("has other fields than were written")
    return found


def yaml_value(content: str) -> Any:
    """Parse YAML by the safe loader; raises :class:`Unreadable`."""
    check_yaml(content)
    try:
        return yaml.load(content, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # ValueError: 2020-13-45 is no date
        raise Unreadable(f"is not YAML: {' '.join(str(error).split())}") from None


def check_yaml(content: str) -> None:
    """See that a YAML text can be loaded safely; raises :class:`Unreadable` for one too deep, or too long.

    An alias counts as often as what it stands for would be written ("billion laughs"); one within itself has no end.
    """
    sizes: dict[str, int] = {}  # of what each anchor stands for
    open_: list[tuple[str | None, int]] = []  # anchors of the holders we are in, and the count where each began
    count = 0
    try:
        for event in yaml.parse(content, Loader=_LOADER):
            anchor = getattr(event, "anchor", None)
            if isinstance(event, yaml.AliasEvent):
                if any(name == anchor for name, _ in open_):
                    raise Unreadable(f"holds an alias within itself: *{anchor}")
                count += sizes.get(str(anchor), 1)
            elif isinstance(event, _HOLDERS):
                open_.append((anchor, count))
                count += 1
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                name, began = open_.pop()
                if name is not None:
                    sizes[name] = count - began
            elif isinstance(event, yaml.ScalarEvent):
                count += 1
                if anchor is not None:
                    sizes[anchor] = 1
            if len(open_) > DEEPEST:
                raise Unreadable(f"is nested more than {DEEPEST} deep")
            if count > LONGEST:
                raise Unreadable(f"holds more than {LONGEST:,} values, its aliases written out")
    except yaml.YAMLError as error:
        raise Unreadable(f"is not YAML: {' '.join(str(error).split())}") from None


def is_name(text: object) -> bool:
    """Can this be the name of a file in a folder, and of none elsewhere?"""
    if not isinstance(text, str) or not text.isprintable() or text in ("", ".", "..") or "/" in text:
        return False
    return len(os.fsencode(text)) <= _LONGEST_NAME


def conforms(value: Any, kind: Any) -> bool:
    """Is a JSON value of this kind: a type, ``list[...]``, ``dict[str, ...]``, a union, or a dataclass by its fields?

    A number without a fraction is a float as well; true and false are no numbers.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(conforms(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin in (list, Sequence):
        return isinstance(value, list) and all(conforms(one, inner[0]) for one in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            conforms(name, inner[0]) and conforms(one, inner[1]) for name, one in value.items()
        )
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return (
            isinstance(value, dict)
            and value.keys() <= hints.keys()
            and all(one.name in value or _has_default(one) for one in fields(kind))
            and all(conforms(one, hints[name]) for name, one in value.items())
        )
    if kind in (int, float):
        number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
        return number or (kind is float and isinstance(value, float))
    return value is None if kind is type(None) else isinstance(value, kind)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_default(option: Any) -> bool:
    return option.default is not MISSING or option.default_factory is not MISSING


def _depth(value: Any) -> int:
    """How deep lists and mappings lie in each other; level by level, as recursion has its own limit."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        level = [
            one
            for holder in level
            for one in (holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ())
            if isinstance(one, (dict, list))
        ]
        depth += 1
    return depth
