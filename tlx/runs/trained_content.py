"""What a finished run trained and what it left as it was, by content: the same wherever its folder lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tlx.files import foreign
from tlx.files.content_hash import content_hash, state
from tlx.runs import layout
from tlx.runs.result import Result, result_in

FACT = "weights_content"  # of a trial that begins from `trial:`: what that had trained, as it was read
_SHOWN = 12  # digits


def trained_content(where: Path) -> str:
    """A hash of the trained weights in a run folder, and of what is recorded of those that never trained.

    Raises:
        OSError: A file of it cannot be read.
        foreign.Unreadable: What is recorded of frozen weights is not what was written.
    """
    trained = content_hash(where / layout.CHECKPOINT)
    frozen = foreign.json_file(where / layout.FROZEN, dict[str, object]).get("sum")
    return hashlib.sha256(f"{trained}|{frozen}".encode()).hexdigest()[:32]


def content_if_finished(where: Path) -> str | None:
    """:func:`trained_content` of a run that is finished, else ``None``; looked at once while its result stays."""
    try:
        now = state((where / layout.RESULT).stat())
        if (known := _KNOWN.get(where)) is not None and known[0] == now:
            return known[1]
        if result_in(where) is None:
            return None
        _KNOWN[where] = now, trained_content(where)
    except (OSError, foreign.Unreadable):  # whoever reads the weights is told
        return None
    return _KNOWN[where][1]


_KNOWN: dict[Path, tuple[str, str]] = {}


def began_from(result: Result) -> str:
    """The content that a finished trial began from; empty where that is not recorded, or in its identity."""
    return result.facts.get(FACT, "")


def change(name: str, then: str, now: str | None) -> str:
    """What became of an earlier trial since another one began from it; empty where nothing did, or nobody knows."""
    if not then or now is None or then == now:
        return ""
    return f"{name} was trained anew ({then[:_SHOWN]} -> {now[:_SHOWN]})"
