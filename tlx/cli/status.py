"""tlx status [sweep] [output=runs]: how far sweeps are, told from the files of their trials.

tlx status                       (every sweep below ./runs, a line each)
tlx status --json                (the same as data)
tlx status quickstart            (each trial that is not done of the sweeps so named; a path does as well)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tlx.cli.arguments import Arguments
from tlx.files.printable import printable
from tlx.orchestration import status
from tlx.orchestration.status import Summary
from tlx.reports.console import Terminal


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.flag("--json")
    asked = arguments.take(words)
    words = asked.words
    named = [word for word in words if not word.startswith("output=")]
    root = Path(next((word.partition("=")[2] for word in words if word.startswith("output=")), "runs"))
    console = Terminal()
    chosen = status.named(root, named)
    if asked.json:
        print(json.dumps([_as_data(status.summary(folder)) for folder in chosen], indent=2))
        return 0
    unknown = ""  # why the queue is: a controller that does not answer is waited for once
    for folder in chosen:
        summary = status.summary(folder, unknown)
        unknown = unknown or summary.note
        console.print(_line(summary))
        for trial in summary.trials if named else ():
            if trial.state != "done":
                console.print(printable(f"  {trial.state:<12}{trial.label}  {trial.detail}".rstrip()))
    return 0


def _as_data(summary: Summary) -> dict[str, Any]:
    trials = [
        {"folder": str(one.folder), "name": one.label, "state": one.state, "detail": one.detail, "seconds": one.seconds}
        for one in summary.trials
    ]
    found = {"sweep": str(summary.folder), "counts": summary.counts, "to_follow": summary.more, "trials": trials}
    return {**found, "note": summary.note}


def _line(summary: Summary) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in summary.counts.items())
    left = "" if summary.left is None else f"; about {_duration(summary.left)} left"
    note = f"\n  the queue is not known: {printable(summary.note)}" if summary.note else ""
    more = f", {summary.more} to follow" if summary.more else ""
    return f"{printable(summary.folder.name)}  {len(summary.trials)} trials: {counts}{more}{left}{note}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
