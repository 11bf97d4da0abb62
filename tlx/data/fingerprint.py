"""What the data are, in one hash, without torch: part of a trial's identity."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from tlx.columns import remembered
from tlx.components.registry import component
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.files import regular
from tlx.files.content_hash import content_hash, is_settled, state
from tlx.files.looking import counting

_DIGITS = 64  # of a SHA-256


def fingerprint(config: Dataset) -> str:
    """32 hexadecimal digits that change when the examples do.

    What the loader reads is hashed, by name and content, and nothing else that lies beside it.

    Raises:
        DataError: A file or folder cannot be read, or there is nothing to be read.
    """
    found: str = component("dataset", config.kind).function("fingerprint")(config)
    return found


def of_text(text: str) -> str:
    """The fingerprint of data that a text says everything of."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def of_files(place: str, files: Iterable[tuple[str, str, str | Path]]) -> str:
    """The fingerprint of files by name and content; where they lie does not matter.

    A content hash is remembered for as long as the file's :func:`~tlx.files.content_hash.state` stays.

    Args:
        place: What is remembered belongs to.
        files: Each as (name, what its content is remembered under, path).

    Raises:
        DataError: A file cannot be read, or there is none: data that nothing is known of are not the same data.
    """
    key = of_text(place)
    known: dict[str, str] = remembered.load("hashes", key, dict[str, str]) or {}
    fresh: dict[str, str] = {}
    whole, listed = hashlib.sha256(), list(files)
    with counting("hashing", "files", len(listed)) as step:
        for name, under, path in listed:
            try:
                found, under, content = _content(known, under, path)
            except OSError as error:
                raise DataError([ConfigIssue(str(path), f"cannot be read: {regular.reason(error)}")]) from error
            if is_settled(found):
                fresh[under] = content
            whole.update(f"{name}|{content}\n".encode(errors="surrogateescape"))
            step()
    if not listed:
        raise DataError([ConfigIssue("dataset", "no file to take a fingerprint of: expected at least one", place)])
    if fresh != known and (obstacle := remembered.store("hashes", key, fresh)):
        warnings.warn(f"hashes of the data are not remembered: {obstacle}", stacklevel=2)
    return whole.hexdigest()[:32]


def contents(place: str, files: Iterable[tuple[str, str, str | Path]]) -> list[str]:
    """The content hash of each file, as :func:`of_files` remembers it; empty for one that cannot be read."""
    known: dict[str, str] = remembered.load("hashes", of_text(place), dict[str, str]) or {}
    found, listed = [], list(files)
    with counting("hashing", "files", len(listed)) as step:
        for _, under, path in listed:
            try:
                found.append(_content(known, under, path)[2])
            except (OSError, ValueError):  # ValueError: no name of a file; whoever looks at the examples says so
                found.append("")
            step()
    return found


def _content(known: Mapping[str, str], under: str, path: str | Path) -> tuple[os.stat_result, str, str]:
    """What the system says of a file, what its content hash is remembered under, and the hash."""
    found = regular.look(path)
    under = f"{under}|{state(found)}"
    content = known.get(under, "")
    return found, under, content if len(content) == _DIGITS else content_hash(Path(path))
