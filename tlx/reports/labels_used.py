"""How many labelled examples a trial saw: those that train, those that validate, and those that test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tlx.runs.test_ledger import split_of


@dataclass(frozen=True)
class LabelsUsed:
    """Examples by split; none where that is not recorded.

    Args:
        counts: Of each split.
        test_split: By which name the test ledger knows the test split.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    test_split: str = ""

    @property
    def before_test(self) -> int | None:
        """Those that train or validate: labels that were used before the test."""
        return self.counts["train"] + self.counts["val"] if {"train", "val"} <= self.counts.keys() else None


def labels_used(record: Mapping[str, Any]) -> LabelsUsed:
    """The labels that a run used, by its record (:mod:`tlx.runs.manifest`)."""
    data = record.get("data") or {}
    splits = {name: str(hashed) for name, hashed in (data.get("splits") or {}).items()}
    found = {name: hashed.partition(" ")[0] for name, hashed in splits.items()}
    counts = {name: int(count) for name, count in found.items() if count.isdigit()}
    return LabelsUsed(counts, split_of(str(data.get("data")), splits["test"]) if "test" in counts else "")
