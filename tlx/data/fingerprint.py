"""What the data are, in one hash, without torch: part of a trial's identity."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

from tlx.columns import remembered
from tlx.components.registry import component
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.files import regular
from tlx.files.content_hash import content_hash

_DIGITS = 64  # of a SHA-256


def fingerprint(config: Dataset) -> str:
    """32 hexadecimal digits that change when the examples do.

    Files are hashed by content; a content hash is remembered under (path, size, modification time).

    Raises:
        DataError: A file or folder cannot be read.
    """
    found: str = component("dataset", config.kind).function("fingerprint")(config)
    return found


def of_text(text: str) -> str:
    """The fingerprint of data that a text says everything of."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def of_files(place: str, files: Iterable[tuple[str, str, str | Path]]) -> str:
    """The fingerprint of files by name and content; where they lie does not matter.

    Args:
        place: What is remembered belongs to.
        files: Each as (name, what its content is remembered under, path).
    """
    key = of_text(place)
    known: dict[str, str] = remembered.load("hashes", key, dict[str, str]) or {}
    fresh: dict[str, str] = {}
    whole = hashlib.sha256()
    for name, under, path in files:
        try:
            found = regular.look(path)
            under = f"{under}|{found.st_size}|{found.st_mtime_ns}"
            content = known.get(under, "")
            fresh[under] = content if len(content) == _DIGITS else content_hash(Path(path))
        except OSError as error:
            raise DataError([ConfigIssue(str(path), f"cannot be read: {regular.reason(error)}")]) from error
        whole.update(f"{name}|{fresh[under]}\n".encode(errors="surrogateescape"))
    if fresh != known and (obstacle := remembered.store("hashes", key, fresh)):
        warnings.warn(f"hashes of the data are not remembered: {obstacle}", stacklevel=2)
    return whole.hexdigest()[:32]
