"""What a trial that was killed at its very end left undone: a result beside its place, an event log without its end.

Several heads that are trained side by side are finished together, in two steps. First each result is written aside,
with the names of all; only then are they put in their places. So whoever finds one in its place knows that the others
are whole, and a group that has none is trained again as the group it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tlx.files import durable, foreign
from tlx.runs import folder as folders
from tlx.runs import layout
from tlx.runs import result as results
from tlx.runs.folder import RunFolder
from tlx.runs.lock import Busy, locked
from tlx.runs.result import Result
from tlx.tracking import event_log

GROUP = layout.GROUP


def finish_together(pairs: Sequence[tuple[RunFolder, Result]]) -> None:
    """Record the results of a group."""
    names = [place.path.name for place, _ in pairs]
    for place, result in pairs:
        durable.write(place.path / GROUP, json.dumps(names))
        place.prepare(result)
    for place, _ in pairs:
        place.settle()
    for place, _ in pairs:
        (place.path / GROUP).unlink()


def recover(folder: Path) -> None:
    """Finish what is to be finished in a run folder; one that a process holds is left to it."""
    if not (_is_settled(folder) or _is_undone(folder)):
        return
    try:
        with locked(folder, folder.name, patience=0):
            if _is_settled(folder):
                durable.move(folder / layout.PREPARED, folder / layout.RESULT)
            undone = _is_undone(folder) and event_log.ended(folder) != "FINISHED"
            for path in _beside(folder):
                path.unlink()
            durable.sweep(folder, layout.OWN)
            durable.sync_folder(folder)
            if undone:
                event_log.EventLog(folder).write("end", status="FINISHED", reason="")
    except Busy:
        return


def _is_settled(folder: Path) -> bool:
    """Is there a result beside its place, of a group of which another has its own in place?"""
    group = folder / GROUP
    if not group.is_file() or (folder / layout.RESULT).exists():
        return False
    try:
        names = foreign.json_file(group, list[str])
    except (FileNotFoundError, foreign.Unreadable):  # torn: then nothing was in its place yet
        return False
    others = [folder.parent / Path(name).name for name in names]
    return results.result_in(folder, prepared=True) is not None and any(
        results.result_in(other) is not None for other in others
    )


def _is_undone(folder: Path) -> bool:
    """Is there a result whose event log does not end as finished, or that has a state or a torn file beside it?

    Whoever put results in their places and could not go on has said that the others failed: they have not.
    """
    if results.result_in(folder) is None:
        return False
    return bool(_beside(folder)) or folders.left_over(folder) or event_log.ended(folder) != "FINISHED"


def _beside(folder: Path) -> list[Path]:
    """Files of an unfinished trial."""
    paths = (folder / name for name in (GROUP, *layout.STATES))
    return [path for path in paths if path.is_symlink() or path.is_file()]
