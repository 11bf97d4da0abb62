"""``repro.json`` of a run folder: all that decides a trial's numbers, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.runs import code, environment

FILE = "repro.json"
_VERSION = 1
_SHAPE = {"code": dict[str, dict[str, Any]], "packages": dict[str, str], "software": dict[str, Any]}


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
    }


def write(folder: Path, config: Mapping[str, Any], found: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Write the record; the rename makes it all or nothing."""
    record = {"version": _VERSION, "config": config, **found, "results": results}
    durable.write(folder / FILE, json.dumps(record, indent=1, default=str))


def read(folder: Path) -> dict[str, Any]:
    """The record of a run folder; empty where there is none.

    Raises:
        ConfigError: It is not a record.
    """
    try:
        found: dict[str, Any] = foreign.json_file(folder / FILE, dict[str, Any])
        if not all(foreign.conforms(found.get(name, {}), kind) for name, kind in _SHAPE.items()):
            raise foreign.Unreadable("has other fields than were written")
    except FileNotFoundError:
        return {}
    except foreign.Unreadable as reason:
        raise ConfigError([ConfigIssue(FILE, f"cannot be read: it {reason}", folder)]) from None
    return found
