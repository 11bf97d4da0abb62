"""Which folder of an output is a trial's: names are for people, and the end of a folder's name says whose it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tlx.files.content_hash import is_settled
from tlx.runs.layout import RESULT
from tlx.runs.result import result_in
from tlx.tracking import event_log

_DIGITS = 12  # of an identity, in the name of a folder


def find_folder(output: Path, name: str, identity: str) -> Path:
    """The folder of a trial: one that was finished or begun under another name, else ``<name>-<12 digits>``.

    Args:
        output: Where run folders lie.
        name: What people call the trial now.
        identity: What it is.
    """
    own = output / f"{name}-{identity[:_DIGITS]}"
    if (own / RESULT).exists():
        return own
    others = [output / one for one in _ending(output).get(identity[:_DIGITS], ()) if one != own.name]
    finished = (one for one in others if (found := result_in(one)) is not None and found.identity == identity)
    begun = (one for one in (own, *others) if event_log.first(one).get("identity") == identity)
    return next(finished, None) or (next(begun, own) if others else own)


def _ending(output: Path) -> Mapping[str, list[str]]:
    """The folders of an output by the ends of their names; listed once for as long as nothing comes or goes."""
    try:
        found = output.stat()
        now = (found.st_dev, found.st_ino, found.st_mtime_ns)
        if (known := _LISTED.get(output)) is not None and known[0] == now:
            return known[1]
        listing: dict[str, list[str]] = {}
        for name in sorted(os.listdir(output)):
            listing.setdefault(name.rpartition("-")[2], []).append(name)
    except OSError:  # none yet; whoever writes there is told
        return {}
    if is_settled(found):
        _LISTED[output] = now, listing
    return listing


_LISTED: dict[Path, tuple[tuple[int, int, int], dict[str, list[str]]]] = {}
