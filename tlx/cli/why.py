"""tlx why RUN | overrides: would this trial run, and if so, what is another than in a run that there is?

tlx why backbone=resnet18 strategy=fine_tune dataset=imagefolder dataset.root=photos
tlx why runs/resnet18-fine_tune-digits-s0-0123456789ab    (what has changed since: data, weights, tlx)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tlx.cli.arguments import Arguments
from tlx.composition.compose import compose
from tlx.config.errors import ConfigError, ConfigIssue, RequestError
from tlx.files.printable import printable
from tlx.orchestration import find
from tlx.provenance.compare import Row
from tlx.provenance.reasons import nearest_run, reasons
from tlx.reports.console import Terminal
from tlx.runs.folder import read_config
from tlx.runs.result import incomplete, read_result
from tlx.training.locate import locate


def run(words: list[str]) -> int:
    """The verb."""
    words = Arguments().take(words).words
    console = Terminal()
    named = [word for word in words if "=" not in word]
    if named and len(words) != 1:
        raise ConfigError([ConfigIssue("why", "expected one run, or the overrides of a trial", " ".join(words))])
    if named:
        for folder in find.runs(named[0]):
            _recorded(folder, console)
    else:
        _asked(words, console)
    return 0


def _recorded(folder: Path, console: Console) -> None:
    """Of a run: what has changed since."""
    trial, result = read_config(folder), read_result(folder)
    console.print(printable(folder.name), markup=False)
    try:
        place = locate(trial)
    except RequestError as error:  # what it was trained on, or began from, is not here any more
        console.print("  could not run again here:", markup=False)
        for problem in error.problems:
            console.print(f"    {printable(f'{problem.subject}  {problem.message}')}", markup=False, soft_wrap=True)
        return
    if place.identity == result.identity and (reason := replace(place, path=folder).outdated()):
        console.print(f"  would run again: {printable(reason)}; it began from other weights", markup=False)
        return
    if place.identity == result.identity:
        console.print("  would not run again: its settings, data, weights and tlx are what they were", markup=False)
        return
    console.print("  would run again:", markup=False)
    _show(reasons(trial, place, folder), console)


def _asked(words: list[str], console: Console) -> None:
    """Of a trial: whether it is finished, and the run that comes nearest."""
    trial = compose(words)
    place = locate(trial)
    console.print(f"{printable(place.name)}  ({place.identity})", markup=False)
    if place.result() is not None:
        console.print(f"  would not run: it is finished, in {printable(place.path)}", markup=False, soft_wrap=True)
        return
    if missing := incomplete(place.path):
        console.print(f"  would run again: it was finished, but {missing}", markup=False)
        return
    if reason := place.outdated():
        console.print(f"  would run again: {printable(reason)}; it began from other weights", markup=False)
        return
    found = nearest_run(trial, place)
    if found is None:
        console.print(f"  would run: there is no finished run in {printable(place.path.parent)}", markup=False)
        return
    console.print(f"  would run; the run that comes nearest is {printable(found[0].name)}, with", markup=False)
    _show(found[1], console)


def _show(rows: list[Row], console: Console) -> None:
    for row in rows:
        console.print(f"    {printable(row)}", markup=False, soft_wrap=True)
