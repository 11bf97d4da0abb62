"""Removing run folders: real folders among tlx's runs that hold nothing but files that tlx writes there."""

from __future__ import annotations

import re
from pathlib import Path

from tlx.config import output
from tlx.files import durable, marks
from tlx.runs import layout, lock
from tlx.tracking import event_log, state

_NAMES = (*layout.OWN, lock.FILE, event_log.FILE, state.FILE, "log.txt", "report.html", "study.yaml", "best.yaml")
_NUMBERED = r"events\.\d+\.jsonl|result\.incomplete\.\d+\.json|[a-z]+\.svg"
OWN = re.compile(rf"(?:{'|'.join(map(re.escape, _NAMES))}|{_NUMBERED})|\..+\.[0-9a-f]{{8}}\.partial")
_ASIDE = ".removing-"


def obstacle(folder: Path) -> str:
    """Why a folder cannot be removed; empty where it can."""
    if not marks.is_marked(folder.parent, output.KIND):
        return f"does not lie in a folder of tlx's runs ({folder.parent} has no mark of them)"
    if not event_log.first(folder):
        return "is no run: it has no event log"
    if lock.is_locked(folder):
        return f"is being run by {lock.owner(folder) or 'another process'}"
    try:
        name = marks.stranger(folder, OWN, layout.FOLDERS)
    except OSError as error:
        return f"is no folder that can be looked into ({error.strerror})"
    return f"holds what tlx does not write into a run: {name}" if name else ""


def remove(folder: Path) -> None:
    """Remove a run folder, file by file. It is moved aside first, so that it is whole or gone for whoever looks.

    Raises:
        ValueError: It cannot be removed; the message says why.
        Busy: Another process has just begun to work in it.
        OSError: The disk refuses.
    """
    if reason := obstacle(folder):
        raise ValueError(reason)
    with lock.locked(folder, folder.name):
        aside = folder.with_name(f"{_ASIDE}{folder.name}")
        durable.move(folder, aside)
    marks.remove_files(aside, OWN, layout.FOLDERS)
    durable.sync_folder(folder.parent)


def finish_interrupted(root: Path) -> None:
    """Go on with removals that were killed."""
    if marks.is_marked(root, output.KIND):
        for aside in root.glob(f"{_ASIDE}*"):
            if not marks.stranger(aside, OWN, layout.FOLDERS):
                marks.remove_files(aside, OWN, layout.FOLDERS)
