"""``repro.json`` of a run folder: all that decides a trial's numbers, and what came out; sealed by a checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum
from tlx.runs import code, environment

FILE = "repro.json"
VARIABLES = "variables"
_VERSION = 2  # 1 had no checksum
_UNSEALED = "has no valid checksum: it was altered, or written before records were sealed"
_SHAPE = {
    **{"code": dict[str, dict[str, Any]], "packages": dict[str, str], "software": dict[str, Any]},
    **{"data": dict[str, Any], "weights": dict[str, Any], "hardware": dict[str, Any], "flags": dict[str, Any]},
    **{VARIABLES: dict[str, str], "config": dict[str, Any], "results": dict[str, Any]},
}


@dataclass(frozen=True)
class Record:
    """What a ``repro.json`` says, and why it does not count."""

    content: dict[str, Any] = field(default_factory=dict)  # empty where it cannot be read
    fault: str = ""


def surroundings(
    data: Mapping[str, Any], weights: Mapping[str, str], plugins: Mapping[str, Any], flags: Mapping[str, Any]
) -> dict[str, Any]:
    """What decides the numbers here and now; of data, weights, code and flags what only a trial knows is given."""
    return {
        "code": {**code.states(), **plugins},
        "software": environment.software(),
        "packages": environment.packages(),
        "data": dict(data),
        "weights": dict(weights),
        "hardware": environment.hardware(),
        "flags": {**environment.flags(), **flags},
        VARIABLES: environment.variables(),
    }


def write(folder: Path, config: Mapping[str, Any], found: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Write the record; the rename makes it all or nothing."""
    record = {"version": _VERSION, "config": config, **found, "results": results}
    durable.write(folder / FILE, with_checksum(json.dumps(record, indent=1, default=str)))


def read(folder: Path) -> dict[str, Any]:
    """The record of a run folder; empty where there is none.

    Raises:
        ConfigError: It is not what was written.
    """
    found = look(folder)
    if found is None:
        return {}
    if found.fault:
        message = f"{found.fault}; train the trial again, or leave this run out"
        raise ConfigError([ConfigIssue(FILE, message, folder)])
    return found.content


def look(folder: Path) -> Record | None:
    """The record of a run folder with what is wrong with it, for those who judge it; None where there is none.

    What has a fault may say anything.
    """
    try:
        text = foreign.text(folder / FILE)
        content = foreign.json_value(text)
    except FileNotFoundError:
        return None
    except foreign.Unreadable as reason:
        return Record(fault=f"cannot be read: it {reason}")
    if not foreign.conforms(content, dict[str, Any]) or not all(
        foreign.conforms(content.get(name, {}), kind) for name, kind in _SHAPE.items()
    ):
        return Record(fault="cannot be read: it has other fields than were written")
    sealed = without_checksum(text)
    return Record(content, _UNSEALED) if sealed is None else Record(sealed)
