"""What the data are, in one hash, without torch: part of a trial's identity."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from tlx.config import dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import remembered
from tlx.data.sources.tree import Tree
from tlx.files import regular
from tlx.files.content_hash import content_hash

_DIGITS = 64  # of a SHA-256


def fingerprint(config: dataset.Dataset) -> str:
    """32 hexadecimal digits that change when the examples do.

    Files are hashed by content; a content hash is remembered under (path, size, modification time).

    Raises:
        DataError: A file or folder cannot be read.
    """
    if isinstance(config, dataset.Digits):
        return _short("sklearn-digits-1")
    if isinstance(config, dataset.Glyphs):
        from tlx.data.sources import glyphs

        return glyphs.fingerprint(config)
    if isinstance(config, dataset.Docstrings):
        from tlx.data.sources import docstrings

        return _short(docstrings.fingerprint(config))
    if isinstance(config, dataset.ImageFolder):
        from tlx.data.sources.imagefolder import root_of

        root = root_of(config)
        return _files(os.path.realpath(root), _below(str(root)))
    if isinstance(config, dataset.Table):
        from tlx.data.sources.table import files_of

        named = files_of(config)
        listed = _listed(config, named) if config.modality == "image" else {}
        paths = {**named, **listed}
        place = "|".join(os.path.realpath(path) for path in named.values())
        return _files(place, ((name, os.path.abspath(path), path) for name, path in paths.items()))
    if isinstance(config, dataset.Hub):
        return _short(f"hub:{config.name}:{config.config}:{config.revision}:{sorted(config.splits.items())}")
    raise TypeError(f"no fingerprint for {type(config).__name__}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _below(root: str) -> Iterator[tuple[str, str, str]]:
    """The files of a folder: (name, name, path)."""
    try:
        for name, _ in Tree(root).files():
            yield name, name, os.path.join(root, name)
    except OSError as error:
        message = f"cannot be looked into: {regular.reason(error)}"
        raise DataError([ConfigIssue("dataset.root", message, error.filename)]) from error


def _listed(config: dataset.Table, files: dict[str, Path]) -> dict[str, Path]:
    """The images of a table, by where the table says they are."""
    from tlx.data.sources.rows import read

    found = {}
    for role, file in files.items():
        for value in read(file, "", config.input, config.label, config.limits).inputs:
            path = file.parent / str(value)
            try:
                regular.look(path)
            except (OSError, ValueError):  # not there, or no name of a file: the pre-flight says so
                continue
            found[f"{role}/{value}"] = path
    return found


def _files(place: str, files: Iterable[tuple[str, str, str | Path]]) -> str:
    """The hash of files by name and content; where they lie does not matter.

    Args:
        place: What is remembered belongs to.
        files: Each as (name, what its content is remembered under, path).
    """
    key = _short(place)
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
