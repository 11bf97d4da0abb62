"""The record of a sweep: an event log and an MLflow run above its trials', however often it stops and goes on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.files import marks
from tlx.files.secrets import redacted
from tlx.orchestration.executor import Unfinished
from tlx.orchestration.jobs import Job, Outcome
from tlx.orchestration.rounding_differences import RoundingDifferences
from tlx.runs import removal
from tlx.runs.describe import experiment_name
from tlx.runs.layout import CONFIG, RESULT
from tlx.runs.lock import Busy, locked
from tlx.runs.recover import recover
from tlx.runs.result import Result
from tlx.tracking import event_log
from tlx.tracking.event_log import EventLog
from tlx.tracking.mlflow_sync import MLflowSync

FAILED = "trials failed"  # how the reason ends of a sweep that is over


@dataclass
class Sweep:
    """What a sweep left: results by identity, and why the others have none."""

    folder: Path
    results: dict[str, Result] = field(default_factory=dict)
    failures: list[Outcome] = field(default_factory=list)
    ran: int = 0  # by this command
    shared: int = 0  # by others that work on the same sweep, meanwhile
    labels: dict[str, str] = field(default_factory=dict)  # of all trials known so far, by their folders
    # of those that were finished before
    rounding_differences: RoundingDifferences = field(default_factory=RoundingDifferences)


def conclude(name: str, sweep: Sweep, first: Trial, note: str = "") -> None:
    """Complete the record of a sweep whose trials are all over, where it is not, and let MLflow know of all of them.

    A power cut may take any of its rows while the trials are safe, or all of them; a sweep of trials that others ran
    never had a record.
    """
    last = event_log.last(sweep.folder)
    mirror = MLflowSync(first.tracking)
    is_begun = bool(event_log.attempt(sweep.folder))
    is_whole = is_begun and sweep.labels.keys() <= event_log.members(sweep.folder).keys()
    is_open = not is_whole or last.get("event") != "end"
    if not (is_open or mirror.is_behind(sweep.folder)):
        return
    try:
        with locked(sweep.folder, sweep.folder.name), mirror:
            record = SweepRecord(sweep, described(name, first, sweep.folder))
            if not is_begun:
                record.begin()
            if not is_whole:
                record.members(0)
            if is_open:
                record.end(note)
            record.catch_up(mirror)
    except Busy:  # whoever runs it ends it
        return


class SweepRecord:
    """A sweep's event log; without a description, none is written: another process has it."""

    def __init__(self, sweep: Sweep, description: dict[str, Any] | None) -> None:
        self.events = EventLog(sweep.folder if description is not None else None)
        self.sweep = sweep
        self.description = description
        self._told: set[str] = set()  # folders that this command has written down

    def begin(self) -> None:
        """Say that the sweep begins, or that it goes on: it stays one run."""
        if self.description is None:
            return
        if event_log.attempt(self.sweep.folder):
            self.events.write("resume")
        else:  # the first, or one whose first row a power cut took
            event_log.set_aside(self.sweep.folder)
            self.events.begin(kind="sweep", **self.description)

    def members(self, more: int) -> None:
        """Write down the trials that have become known, and how many are still to be expected."""
        fresh = {folder: label for folder, label in self.sweep.labels.items() if folder not in self._told}
        if fresh:
            self.events.write("trials", folders=list(fresh), labels=list(fresh.values()), more=more)
            self._told.update(fresh)

    def started(self, folder: str) -> None:
        """A trial begins here."""
        self.events.write("child", folder=folder)

    def catch_up(self, mirror: MLflowSync) -> None:
        """Let MLflow have what a command that was killed did not send of trials that are over."""
        if self.description is not None:
            mirror.catch_up(self.sweep.folder)
            names = sorted(set(event_log.members(self.sweep.folder)))
            over = [self.sweep.folder.parent / name for name in names]
            for folder in over:
                recover(folder)
            mirror.catch_up(*(one for one in over if (one / RESULT).is_file()), parent=self.sweep.folder)

    def end(self, note: str) -> None:
        """All trials are over."""
        failed = [one for one in self.sweep.failures if not one.pruned]
        status = "FAILED" if failed else "FINISHED"
        reason = f"{len(failed)} {FAILED}" if failed else ""
        self.events.write("end", status=status, reason=reason, note=note)

    def stopped(self, error: BaseException) -> None:
        """The command was stopped, or failed."""
        status = "KILLED" if isinstance(error, (KeyboardInterrupt, SystemExit, Unfinished)) else "FAILED"
        self.events.write("end", status=status, reason=redacted(f"{type(error).__name__}: {error}"))


def folder_of(name: str, jobs: list[Job]) -> Path:
    """A sweep's folder: the name it was given, or the experiment's and a hash of the trials it began with."""
    if given := jobs[0].trial.sweep.name:
        folder = Path(jobs[0].trial.output).expanduser().resolve() / given
        if folder.exists() and not _is_of_a_sweep(folder):
            raise ConfigError([ConfigIssue("sweep.name", f"{folder} is there already, and is no sweep's", given)])
        return folder
    key = hashlib.sha256(json.dumps(sorted(one.place.identity for one in jobs)).encode()).hexdigest()[:8]
    return Path(jobs[0].trial.output).expanduser().resolve() / f"{name}-{key}"


def _is_of_a_sweep(folder: Path) -> bool:
    """Is it a sweep's folder, or what a power cut has left of one: tlx's files, and none that tell of a trial?"""
    if event_log.attempt(folder):
        return str(event_log.first(folder).get("tags", {}).get("tlx.kind")) == "sweep"
    try:
        return not marks.stranger(folder, removal.OWN) and not (folder / CONFIG).exists()
    except OSError:  # no folder
        return False


def described(name: str, first: Trial, folder: Path) -> dict[str, Any]:
    """The first row of a sweep's event log."""
    tags = {"tlx.kind": "sweep", "tlx.folder": str(folder), "tlx.sweep_id": folder.name}
    tracking = {"kind": first.tracking.kind, "uri": first.tracking.uri}
    return {"name": name, "experiment": experiment_name(first), "tracking": tracking, "params": {}, "tags": tags}
