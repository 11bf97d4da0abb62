"""How many labelled examples a trial saw: those that train, those that validate, and those that test."""

from __future__ import annotations

from pathlib import Path

from tlx.config.errors import ConfigError
from tlx.runs import manifest
from tlx.runs.test_ledger import split_of


class Counts(dict[str, int]):
    """Examples by split, and the name by which the test ledger knows the test split; empty where none is recorded."""

    split: str = ""


def counts_in(folder: Path) -> Counts:
    """The splits of a run, as its record has them."""
    found = Counts()
    try:
        data = manifest.read(folder).get("data", {})
    except ConfigError:  # the record is not what was written: the report does without its counts
        return found
    for name, hashed in (data.get("splits") or {}).items():
        count, _, _ = str(hashed).partition(" ")
        if count.isdigit():
            found[name] = int(count)
    if "test" in found:
        found.split = split_of(str(data.get("data")), str(data["splits"]["test"]))
    return found
