"""tlx reproduce RUN [settings] [--steps N] [--with-cache] [--json]: run a trial again; did it come out the same?

tlx reproduce runs/resnet18-fine_tune-digits-s0-0123456789ab     (a run folder)
tlx reproduce 4f1c...                                            (an MLflow run)
tlx reproduce quickstart                                         (every trial of the sweep or study last run)
tlx reproduce RUN --steps 40                                     (only the beginning: a cheap proof)
tlx reproduce RUN --checkout FOLDER                              (by its own code and packages, made again in FOLDER)
tlx reproduce RUN seed=1                                         (with a setting changed, to see what it decides)
tlx reproduce RUN --with-cache                                   (with features that are kept, where the run read them)
tlx reproduce RUN --json                                         (the verdicts as data)

The new run lies in runs/reproduced, linked to the old one, and computes everything anew. Verdicts: bitwise, equal
(metrics within 1e-6), within noise (the same settings, data and weights, inside what at least three runs of this trial
differ by), different, altered (the old record is not what was written, or contradicts itself). Exit code 1 for the
last two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tlx.cli.arguments import Arguments, number
from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files.printable import printable
from tlx.orchestration import find
from tlx.provenance.compare import Row, likely_cause
from tlx.reports.console import Terminal

if TYPE_CHECKING:
    from tlx.provenance.verdict import Verdict


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--checkout", "a folder to make")
    arguments.value("--steps", "a number of steps")
    arguments.flag("--with-cache")
    arguments.flag("--json")
    asked = arguments.take(words)
    words, where, steps = asked.words, asked.checkout, number(asked.steps, "--steps", "a number of steps")
    named = [word for word in words if "=" not in word]
    if len(named) != 1:
        raise ConfigError([ConfigIssue("run", "expected one: a run folder, an MLflow run or a sweep", " ".join(named))])
    if where is not None and (fault := path_fault(where)):
        raise ConfigError([ConfigIssue("--checkout", fault, where)])
    folders = find.runs(named[0])
    console = Terminal(quiet=asked.json)
    if where is not None:
        again = [*words, *(["--steps", str(steps)] if steps is not None else [])]
        again += [*(["--with-cache"] if asked.with_cache else []), *(["--json"] if asked.json else [])]
        return _elsewhere(folders, Path(where).expanduser().resolve(), again, console)
    overrides = [word for word in words if "=" in word]
    found = [_one(folder, overrides, steps, console, with_cache=asked.with_cache) for folder in folders]
    grades = [one["verdict"] for one in found]
    if asked.json:
        print(json.dumps(found, indent=2))
    elif len(folders) > 1:
        console.print(", ".join(f"{grades.count(grade)} {grade}" for grade in dict.fromkeys(grades)))
    return 1 if {"different", "altered"} & set(grades) else 0


def _elsewhere(folders: list[Path], where: Path, words: list[str], console: Console) -> int:
    from tlx.provenance import checkout
    from tlx.runs import manifest

    if len(folders) != 1:
        raise ConfigError([ConfigIssue("--checkout", "is of one run; name one of the sweep's", len(folders))])
    record = manifest.read(folders[0])
    python = checkout.rebuild(record, where, lambda line: console.print(line, markup=False), checkout.here)
    return checkout.reproduce(python, words)


def _one(old: Path, overrides: list[str], steps: int | None, console: Console, *, with_cache: bool) -> dict[str, Any]:
    """Run one again; what came of it."""
    from tlx.provenance import reproduce as again
    from tlx.provenance import verdict
    from tlx.provenance.integrity import contradictions
    from tlx.runs.result import result_in
    from tlx.tracking.mlflow_sync import MLflowSync

    trial = again.recorded(old, overrides, with_cache=with_cache)
    unsound = contradictions(old)
    for line in unsound:
        console.print(f"  altered {line}", markup=False)
    if result_in(old) is None:
        return _told(old, None, verdict.of_altered(unsound), [], unsound, console)
    place = again.place_beside(old, trial)
    console.print(f"{old.name}: again in {place.path}", markup=False)
    for line in again.moved(old, trial):
        console.print(f"  {line}", markup=False)
    with MLflowSync(trial.tracking) as mirror:
        mirror.watch(place.path)
        again.repeat(trial, place, steps, lambda line: None)
    rows = again.checks(old, trial, place)
    for row in rows:
        console.print(f"  {row.state:<8}{row}", markup=False)
    if again.was_multi_head(old):
        console.print("  note    it was trained side by side with others, which rounds otherwise", markup=False)
    around = again.circumstances(old, trial, place, unsound)
    grade = verdict.of_beginnings if steps is not None and place.result() is None else verdict.of_runs
    return _told(old, place.path, grade(old, place.path, around), rows, unsound, console)


def _told(
    old: Path, new: Path | None, found: Verdict, rows: Sequence[Row], unsound: Sequence[str], console: Console
) -> dict[str, Any]:
    """Print a verdict; the same as data."""
    console.print(printable(f"verdict: {found.grade}: {found.reason}"), markup=False)
    cause = likely_cause(rows)
    if found.grade != "bitwise" and cause is not None:
        console.print(printable(f"first thing that differs: {cause}"), markup=False)
    checks = [{**asdict(row), "state": row.state} for row in rows]
    return {
        **{"run": str(old), "again": str(new) if new is not None else None},
        **{"verdict": found.grade, "reason": found.reason, "altered": list(unsound), "checks": checks},
    }
