"""What the data are, in one hash, without torch: part of a trial's identity."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path

from tlx.config.cache import cache_folder
from tlx.data import docstrings, options


def fingerprint(config: options.Dataset) -> str:
    """32 hexadecimal digits that change when the examples do.

    Files are hashed by content; a content hash is remembered under (path, size, modification time).
    """
    if isinstance(config, options.Digits):
        return _short("sklearn-digits-1")
    if isinstance(config, options.Glyphs):
        from tlx.data import glyphs

        return glyphs.fingerprint(config)
    if isinstance(config, options.Docstrings):
        return _short(docstrings.fingerprint(config))
    if isinstance(config, options.ImageFolder):
        root = Path(config.root).expanduser()
        return _files(root, {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file()})
    if isinstance(config, options.Table):
        roles = {"train": config.file, "val": config.val_file, "test": config.test_file}
        named = {role: Path(file).expanduser() for role, file in roles.items() if file}
        listed = _listed(config, named) if config.modality == "image" else {}
        return _files(named["train"].parent, {**named, **listed})
    if isinstance(config, options.Hub):
        return _short(f"hub:{config.name}:{config.config}:{config.revision}:{sorted(config.splits.items())}")
    raise TypeError(f"no fingerprint for {type(config).__name__}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _listed(config: options.Table, files: dict[str, Path]) -> dict[str, Path]:
    """The images of a table, by where the table says they are."""
    from tlx.data.rows import read

    found = {}
    for role, file in files.items():
        for value in read(file, "", config.input, config.label).inputs:
            path = file.parent / str(value)
            if path.is_file():
                found[f"{role}/{value}"] = path
    return found


def _files(root: Path, paths: dict[str, Path]) -> str:
    """The hash of files by name and content; where they lie does not matter."""
    known_file = cache_folder("hashes") / f"{_short(str(root.resolve()))}.json"
    known = _remembered(known_file)
    fresh: dict[str, str] = {}
    whole = hashlib.sha256()
    for name, path in paths.items():
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        fresh[key] = known.get(key) or content_hash(path)
        whole.update(f"{name}|{fresh[key]}\n".encode())
    if fresh != known:
        partial = known_file.with_suffix(f".{os.getpid()}.json")
        partial.write_text(json.dumps(fresh), encoding="utf-8")
        partial.replace(known_file)
    return whole.hexdigest()[:32]


def _remembered(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        known: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # torn by a crash: hash again
        return {}
    return known


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; remembered in this process for as long as its size and time of change stay."""
    stat = path.stat()
    return _content_hash(path, stat.st_size, stat.st_mtime_ns)


@cache
def _content_hash(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
