"""The folder that run folders lie in: tlx's own, by its mark, or because runs of tlx lie in it already."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import foreign, marks

KIND = "runs"
# how the files begin that tlx writes into every run folder
_BEGINS = {"events.jsonl": b'{"event": "start", ', "lock": b"process ", "config.yaml": b"backbone:\n"}
_LOOK = 1000  # folders


def obstacle(output: str | Path) -> str:
    """Why runs cannot be written there; empty where they can. Nothing is written."""
    root = Path(output).expanduser()
    reason = marks.obstacle(root, KIND)
    return "" if reason and not marks.precious(root) and _holds_runs(root) else reason


def claim(output: str | Path) -> None:
    """Make the folder tlx's own, or see that it is; raises :class:`ConfigError` for one that is not."""
    root = Path(output).expanduser()
    if marks.is_marked(root, KIND):
        return
    if reason := obstacle(root):
        raise ConfigError([refused(reason, root)])
    try:
        marks.mark(root, KIND)
    except OSError as error:
        message = f"cannot be written to ({error.strerror}); name another"
        raise ConfigError([ConfigIssue("output", message, root)]) from error


def refused(reason: str, output: str | Path) -> ConfigIssue:
    """The problem with an output folder, and what to write instead."""
    return ConfigIssue("output", f"{reason}; name a folder of its own: output={Path(output) / 'tlx-runs'}", output)


def _holds_runs(root: Path) -> bool:
    try:
        with os.scandir(root) as entries:
            found = [Path(entry.path) for entry in islice(entries, _LOOK)]
    except OSError:
        return False
    inner = bool(found) and all(marks.is_marked(one, KIND) for one in found)  # output=runs/first came before
    return inner or any(map(_is_run, found))


def _is_run(folder: Path) -> bool:
    return any(_begins(folder / name, head) for name, head in _BEGINS.items())


def _begins(file: Path, head: bytes) -> bool:
    try:
        with foreign.reading(file) as stream:
            return stream.read(len(head)) == head
    except (OSError, foreign.Unreadable):
        return False
