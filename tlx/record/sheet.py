"""``repro.json`` of a run folder: all that decides a trial's numbers, and what came out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlx.record import code, environment

FILE = "repro.json"
_VERSION = 1


def surroundings(data: Mapping[str, Any], weights: Mapping[str, str], flags: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the numbers here and now; of data, weights and flags what only the trial itself knows is given."""
    return {
        "code": code.states(),
        "software": environment.software(),
        "packages": environment.packages(),
        "data": dict(data),
        "weights": dict(weights),
        "hardware": environment.hardware(),
        "flags": {**environment.flags(), **flags},
    }


def write(folder: Path, config: Mapping[str, Any], found: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Write the record; the rename makes it all or nothing."""
    partial = folder / f"{FILE}.partial"
    with partial.open("w", encoding="utf-8") as stream:
        json.dump({"version": _VERSION, "config": config, **found, "results": results}, stream, indent=1, default=str)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / FILE)


def read(folder: Path) -> dict[str, Any]:
    """The record of a run folder; empty where there is none."""
    path = folder / FILE
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found
