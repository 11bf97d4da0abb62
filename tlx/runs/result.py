"""The result of a finished trial: ``result.json`` names files of its folder, and counts while they are all there."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.identity import FORMAT
from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum
from tlx.files.content_hash import content_hash
from tlx.runs.layout import CHECKPOINT, FROZEN_TENSORS, INNER, MANIFEST, OWN, PREDICTIONS, PREPARED, PROMISED, RESULT
from tlx.runs.metric import Metric

OLDER = "was written by tlx 0.1, whose runs this release does not read: keep that release for them, or train it again"


@dataclass(frozen=True)
class Result:
    """What a finished trial found."""

    identity: str
    name: str
    folder: str
    metrics: dict[str, float | None]
    steps: int
    parameters: int
    trained: int
    cpu_seconds: float
    wall_seconds: float
    primary: Metric  # what models of its task are compared by
    facts: dict[str, str] = field(default_factory=dict)  # fingerprints, hardware
    numerics: dict[str, int] = field(default_factory=dict)  # versions, where they are not the first
    # the settings that may change the last bits, as they were (:mod:`tlx.config.rounding`)
    rounding: dict[str, str] = field(default_factory=dict, compare=False)
    format: int = FORMAT
    # what else the folder holds, each with its bytes
    files: dict[str, int] = field(default_factory=dict, compare=False)


def read_result(folder: Path) -> Result:
    """The result recorded in a run folder; raises :class:`ConfigError` for one that is not what was written."""
    result = result_in(folder)
    if result is None:
        message = f"{incomplete(folder) or 'is torn or was altered'}; the trial's command makes it again"
        message = OLDER if is_older(folder) else message
        raise ConfigError([ConfigIssue(RESULT, message, folder)])
    return result


def result_in(folder: Path, *, prepared: bool = False) -> Result | None:
    """The result in a run folder (or beside its place), if it is what was written, and so are the files it names."""
    result = _recorded(folder / (PREPARED if prepared else RESULT))
    return result if result is not None and not _lacks(folder, result) else None


def incomplete(folder: Path) -> str:
    """What is missing of a trial that was finished once; empty where nothing is, or it never was."""
    result = _recorded(folder / RESULT)
    return _lacks(folder, result) if result is not None else ""


def is_older(folder: Path) -> bool:
    """Is it the folder of a trial that an earlier format of tlx recorded?"""
    row = _row(folder / RESULT)
    return row is not None and "identity" in row and "format" not in row


def _row(path: Path) -> dict[str, Any] | None:
    try:
        return without_checksum(foreign.read(path).decode(errors="replace"))
    except (FileNotFoundError, foreign.Unreadable):
        return None


def _recorded(path: Path) -> Result | None:
    row = _row(path)
    if row is None or row.get("format") != FORMAT or not foreign.conforms(row, Result):
        return None
    result = Result(**{**row, "primary": Metric(**row["primary"])})
    is_here = foreign.is_name(result.folder) and result.files.keys() <= {*OWN, *INNER}
    return result if is_here else None


def _lacks(folder: Path, result: Result) -> str:
    """The first file that is not there as the result names it."""
    for name, count in result.files.items():
        try:
            found = os.lstat(folder / name)
        except OSError as error:
            return f"{name} is gone" if error.errno == errno.ENOENT else f"{name}: {error.strerror}"
        if not stat.S_ISREG(found.st_mode):
            return f"{name} is no regular file"
        if found.st_size != count:
            return f"{name} has {found.st_size} bytes, {count} were written"
    return ""


def write_result(folder: Path, result: Result, name: str = RESULT) -> None:
    """Write a result, sealed; under another name than its own it does not count yet."""
    durable.write(folder / name, with_checksum(json.dumps(asdict(result), indent=2)))


def set_aside(folder: Path) -> str:
    """Keep the result of a finished trial that is run again as it does not count; the name it has then."""
    number = 1
    while (kept := folder / f"result.incomplete.{number}.json").exists() or kept.is_symlink():
        number += 1
    durable.move(folder / RESULT, kept)
    return kept.name


def promised_files(folder: Path) -> dict[str, int]:
    """The files a finished trial promises, with their bytes."""
    return {name: (folder / name).stat().st_size for name in (*PROMISED, *INNER) if (folder / name).is_file()}


def hashes(folder: Path) -> dict[str, str]:
    """Of the final weights and the predictions: two trials are the same bit for bit where these are."""
    named = {"weights_sha": folder / CHECKPOINT, "predictions_sha": folder / PREDICTIONS}
    return {name: content_hash(path) for name, path in named.items() if path.is_file()}


def content_hashes(folder: Path) -> dict[str, str]:
    """Of each file that a finished trial promises, but for the record that names them.

    The tensors that never trained are left out: they may be many, and ``frozen.json`` has their hash.
    """
    names = (name for name in promised_files(folder) if name not in (MANIFEST, FROZEN_TENSORS))
    return {name: content_hash(folder / name) for name in names}
