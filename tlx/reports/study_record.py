"""What a study's trials left, as its report reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.study import Study
from tlx.runs.result import Result

Key = tuple[str, Any]  # an arm and a point of the axis


@dataclass(frozen=True)
class Tried:
    """A candidate of an arm with one seed: what it set, and its result, if it has one."""

    values: Mapping[str, Any]
    seed: int
    result: Result | None


@dataclass(frozen=True)
class Change:
    """What of a registered study was another when it was run again: since when, and how many results were known."""

    time: int  # milliseconds since 1970
    known: int
    what: tuple[str, ...]


@dataclass(frozen=True)
class Registration:
    """What was written down of a study before its first trial, and what was changed since."""

    time: int  # milliseconds since 1970
    known: int  # results that were there already
    digest: str  # SHA-256 of the plan
    changes: tuple[Change, ...] = ()
    altered: int = 0  # lines of its record that are not what was written


@dataclass(frozen=True)
class StudyRecord:
    """A study's results, by arm and point."""

    name: str
    study: Study
    output: Path  # the folder that holds the run folders
    command: str  # what runs this study
    cells: Mapping[Key, Mapping[int, Result]]  # by seed
    tried: Mapping[Key, Sequence[Tried]] = field(default_factory=dict)
    chosen: Mapping[Key, Mapping[int | None, Mapping[str, Any]]] = field(default_factory=dict)  # None: for all seeds
    varied: Mapping[Key, Mapping[str, Mapping[int, Result]]] = field(default_factory=dict)  # by source and seed
    source: Result | None = None
    failures: Sequence[tuple[str, str]] = ()  # trials without a result, and why
    pruned: int = 0
    registration: Registration | None = None
    keeps: Mapping[str, str] = field(default_factory=dict)  # by arm, which weights of a trial are tested: best, last
