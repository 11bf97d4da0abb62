"""tlx status [sweep] [output=runs]: how far sweeps are, told from the files of their trials.

tlx status                       (every sweep below ./runs, a line each)
tlx status quickstart            (each trial that is not done of the sweeps so named; a path does as well)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlx.cli.output import Terminal
from tlx.config.errors import ConfigError, Problem, nearest
from tlx.config.name_rules import path_fault
from tlx.files.printable import printable
from tlx.sweep import status
from tlx.sweep.status import Summary


def run(words: list[str]) -> int:
    """The verb."""
    named = [word for word in words if not word.startswith("output=")]
    root = Path(next((word.partition("=")[2] for word in words if word.startswith("output=")), "runs"))
    console = Terminal()
    found = status.sweeps(root)
    if not found:
        raise ConfigError([Problem("output", "holds no sweep; name another with output=FOLDER", root)])
    chosen = [folder for folder in found if not named or any(_is(folder, word) for word in named)]
    if not chosen:
        raise ConfigError([Problem("sweep", f"none of that name{nearest(named[0], _names(found))}", named[0])])
    unknown = ""  # why the queue is: a controller that does not answer is waited for once
    for folder in chosen:
        summary = status.summary(folder, unknown)
        unknown = unknown or summary.note
        console.print(_line(summary))
        for trial in summary.trials if named else ():
            if trial.state != "done":
                console.print(printable(f"  {trial.state:<12}{trial.folder.name}  {trial.detail}".rstrip()))
    return 0


def _is(folder: Path, word: str) -> bool:
    return word in (folder.name, folder.name.rpartition("-")[0]) or (
        not path_fault(word) and Path(word).resolve() == folder.resolve()
    )


def _names(folders: Sequence[Path]) -> list[str]:
    return [folder.name for folder in folders]


def _line(summary: Summary) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in summary.counts.items())
    left = "" if summary.left is None else f"; about {_duration(summary.left)} left"
    note = f"\n  the queue is not known: {printable(summary.note)}" if summary.note else ""
    return f"{printable(summary.folder.name)}  {len(summary.trials)} trials: {counts}{left}{note}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
