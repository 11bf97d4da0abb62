"""What a study set out to do, written down before its first trial, and what was changed of it since.

A file beside the runs, ``<study>.registration.jsonl``: its first line is the registration, each further one a change,
with the number of results that were known by then. Lines are sealed and only added. A registration is as good as its
hash is known elsewhere: it is printed, stands in the report and in MLflow, and belongs into a preregistration or an
e-mail to a colleague (Nosek et al. 2018).
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlx.config import output
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.identity import identity_fields
from tlx.files import durable, foreign
from tlx.files.checksum import with_checksum, without_checksum
from tlx.files.regular import reason
from tlx.orchestration.jobs import Job
from tlx.provenance import compare
from tlx.provenance.compare import SAME
from tlx.reports.study_record import Change, Registration
from tlx.reports.when import moment
from tlx.tracking import event_log

if TYPE_CHECKING:
    from tlx.orchestration.study.scheduler import StudyScheduler

_ANALYSIS = "paired t over seeds, two-sided, 5 % over all comparisons with the control by Holm"
_SHAPE = {"time": int, "known": int, "plan": dict[str, Any]}


def file_of(scheduler: StudyScheduler) -> Path:
    """Where the registration of a study lies: by its name, in the folder of its runs."""
    return Path(scheduler.whole.output).expanduser().resolve() / f"{scheduler.name}.registration.jsonl"


def register(scheduler: StudyScheduler, initial_jobs: Sequence[Job]) -> Registration:
    """Write down what the study sets out to do, or what is another than was registered; says what stands there then.

    What was registered by a command that was refused before any trial began is written over.
    """
    path, wanted = file_of(scheduler), plan(scheduler, initial_jobs)
    rows, _ = _rows(path)
    if not rows or rows[-1]["plan"] != wanted:
        row = {"time": time.time_ns() // 1_000_000, "known": known(initial_jobs), "plan": wanted}
        line = with_checksum(json.dumps(row)) + "\n"
        output.claim(path.parent)
        try:
            _write(path, line, anew=not _is_begun(scheduler))
        except OSError as error:
            message = f"the registration cannot be written: {reason(error)}; move away what is there"
            raise ConfigError([ConfigIssue("output", message, path)]) from error
    return compared(scheduler, initial_jobs)


def _write(path: Path, line: str, *, anew: bool) -> None:
    if anew:
        durable.write(path, line)
        return
    with durable.appending(path) as stream:
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())


def _is_begun(scheduler: StudyScheduler) -> bool:
    """Was a sweep of this study ever begun?"""
    folder = file_of(scheduler).parent
    own = [folder / scheduler.whole.sweep.name] if scheduler.whole.sweep.name else []
    return any(event_log.size(one) for one in [*own, *folder.glob(f"{glob.escape(scheduler.name)}-*")])


def compared(scheduler: StudyScheduler, initial_jobs: Sequence[Job]) -> Registration:
    """The registration of a study, and every change of it, down to the study as it is now."""
    rows, altered = _rows(file_of(scheduler))
    wanted = plan(scheduler, initial_jobs)
    if not rows:
        return Registration(0, known(initial_jobs), digest(wanted), altered=altered)
    first, changes = rows[0], list[Change]()
    before = first["plan"]
    for row in rows[1:]:
        changes.append(Change(row["time"], row["known"], _changes(before, row["plan"])))
        before = row["plan"]
    if before != wanted:  # a report of another study than was run
        changes.append(Change(0, known(initial_jobs), _changes(before, wanted)))
    return Registration(first["time"], first["known"], digest(first["plan"]), tuple(changes), altered)


def plan(scheduler: StudyScheduler, initial_jobs: Sequence[Job]) -> dict[str, Any]:
    """What the study sets out to do: question, arms, metric, seeds, test set, analysis, and all other settings."""
    whole, study = scheduler.whole, scheduler.study
    data = sorted({job.place.fingerprints["data"] for job in initial_jobs})
    wanted = {
        "study": asdict(study),
        "metric": whole.task.primary_metric or f"of task {whole.task.kind}",
        "test": {"data": data, "share": whole.dataset.test, "split_seed": whole.dataset.split_seed},
        "analysis": _ANALYSIS,
        "settings": identity_fields(whole),
    }
    found: dict[str, Any] = json.loads(json.dumps(wanted, default=str))  # as it reads once it was written
    return found


def digest(wanted: dict[str, Any]) -> str:
    """SHA-256 of a plan."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def known(jobs: Sequence[Job]) -> int:
    """How many of the trials have a result already."""
    return sum(job.place.result() is not None for job in jobs)


def told(found: Registration) -> str:
    """A line for the terminal, the note in MLflow and the report."""
    if found.altered:
        return f"its registration was altered: {found.altered} lines are not what was written"
    if not found.time:
        return f"not registered: it was run before it could be; as it is now, sha256 {found.digest[:16]}"
    line = f"registered {moment(found.time)}, sha256 {found.digest[:16]}"
    line += " before its first trial" if not found.known else f" when {found.known} results were known"
    if not found.changes:
        return f"{line}; kept"
    return f"{line}; changed since: {'; '.join(what for change in found.changes for what in change.what)}"


def _rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines that are what was written, and how many others there are: of those nothing is taken."""
    try:
        lines = foreign.text(path).splitlines()
    except FileNotFoundError:
        return [], 0
    except foreign.Unreadable:
        return [], 1
    rows = [row for line in lines if (row := without_checksum(line)) is not None]
    rows = [row for row in rows if all(foreign.conforms(row.get(name), kind) for name, kind in _SHAPE.items())]
    return rows, len(lines) - len(rows)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Every entry of a plan that is another."""
    rows = (row for row in compare.settings(before, after) if row.state != SAME)
    return tuple(f"{row.item.removeprefix('settings.')}: {row.values}" for row in rows)
