"""tlx reproduce RUN [settings] [--steps N] [--json]: run a trial again, and say whether it came out the same.

tlx reproduce runs/resnet18-fine_tune-digits-s0-0123456789ab     (a run folder)
tlx reproduce 4f1c...                                            (an MLflow run)
tlx reproduce quickstart                                         (every trial of the sweep or study last run)
tlx reproduce RUN --steps 40                                     (only the beginning: a cheap proof)
tlx reproduce RUN --checkout FOLDER                              (by its own code and packages, made again in FOLDER)
tlx reproduce RUN seed=1                                         (with a setting changed, to see what it decides)
tlx reproduce RUN --json                                         (the verdicts as data)

The new run lies in runs/reproduced, linked to the old one. Verdicts: bitwise, equal (metrics within 1e-6), within noise
(inside what at least three seeds differ by), different. Exit code 1 for different.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from tlx.cli.arguments import Arguments, number
from tlx.composition.name_rules import path_fault
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.orchestration import find
from tlx.provenance.compare import SAME
from tlx.reports.console import Terminal


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--checkout", "a folder to make")
    arguments.value("--steps", "a number of steps")
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
        again = [*words, *(["--steps", str(steps)] if steps is not None else []), *(["--json"] if asked.json else [])]
        return _elsewhere(folders, Path(where).expanduser().resolve(), again, console)
    found = [_one(folder, [word for word in words if "=" in word], steps, console) for folder in folders]
    grades = [one["verdict"] for one in found]
    if asked.json:
        print(json.dumps(found, indent=2))
    elif len(folders) > 1:
        console.print(", ".join(f"{grades.count(grade)} {grade}" for grade in dict.fromkeys(grades)))
    return 1 if "different" in grades else 0


def _elsewhere(folders: list[Path], where: Path, words: list[str], console: Console) -> int:
    from tlx.provenance import checkout
    from tlx.runs import manifest

    if len(folders) != 1:
        raise ConfigError([ConfigIssue("--checkout", "is of one run; name one of the sweep's", len(folders))])
    record = manifest.read(folders[0])
    python = checkout.rebuild(record, where, lambda line: console.print(line, markup=False), checkout.here)
    return checkout.reproduce(python, words)


def _one(old: Path, overrides: list[str], steps: int | None, console: Console) -> dict[str, Any]:
    """Run one again; what came of it."""
    from tlx.provenance import reproduce as again
    from tlx.provenance import verdict
    from tlx.tracking.mlflow_sync import MLflowSync

    trial = again.recorded(old, overrides)
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
    if steps is not None and place.result() is None:
        found = verdict.of_beginnings(old, place.path)
    else:
        found = verdict.of_runs(old, place.path, again.siblings(old))
    console.print(f"verdict: {found.grade}: {found.reason}", markup=False)
    unlike = next((row for row in rows if row.state != SAME), None)
    if found.grade != verdict.BITWISE and unlike is not None:
        console.print(f"first thing that differs: {unlike}", markup=False)
    told = [{**asdict(row), "state": row.state} for row in rows]
    return {"run": str(old), "again": str(place.path), "verdict": found.grade, "reason": found.reason, "checks": told}
