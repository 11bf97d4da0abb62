"""tlx results NAME [--csv FILE] [--json] [output=runs]: the trials of a sweep, what they found and what they cost.

tlx results quickstart                    (the sweep last run of that name; a folder does as well)
tlx results quickstart --csv table.csv    (all its columns: settings, metrics, seconds, folders)
tlx results quickstart --json
tlx results RUN --per-class               (of one trial or evaluation: precision, recall, ... of each class on test)
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from tlx.cli import target
from tlx.cli.arguments import Arguments
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable, foreign
from tlx.files.printable import printable
from tlx.orchestration import find, table
from tlx.orchestration.status import named
from tlx.planning.tables import WIDTH
from tlx.reports.console import Terminal
from tlx.runs.layout import PER_CLASS


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--csv", "a file to write")
    arguments.flag("--json")
    arguments.flag("--per-class")
    asked = arguments.take(words)
    root = Path(next((word.partition("=")[2] for word in asked.words if word.startswith("output=")), "runs"))
    names = [word for word in asked.words if not word.startswith("output=")]
    if len(names) > 1:
        raise ConfigError([ConfigIssue("results", "expected one sweep", " ".join(names))])
    if asked.per_class:
        return _per_class(" ".join(names), asked.csv, as_json=asked.json)
    sweep = named(root, names)[-1]
    rows = table.rows(sweep)
    if asked.csv is not None:
        _write(Path(asked.csv), rows)
    elif asked.json:
        print(json.dumps({"sweep": str(sweep), "trials": rows}, indent=2))
    else:
        _show(rows)
    return 0


def _per_class(word: str, file: str | None, *, as_json: bool) -> int:
    """Show, print or copy what a finished run's test says of each class."""
    run = Path(word) if (Path(word) / PER_CLASS).is_file() else _one_run(word)
    try:
        text = foreign.text(run / PER_CLASS)
    except (FileNotFoundError, foreign.Unreadable) as error:
        why = str(error) if isinstance(error, foreign.Unreadable) else "is not there"
        message = f"{why}: it is written for the test of a classification; of another split, and of a run from before "
        message += f"that, tlx evaluate {word} writes it"
        raise ConfigError([ConfigIssue(PER_CLASS, message, run)]) from None
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    if file is not None:
        _write(Path(file), rows, "label,")
    elif as_json:
        found = [{key: _value(value) if key != "label" else value for key, value in row.items()} for row in rows]
        print(json.dumps({"run": str(run), "classes": found}, indent=2, ensure_ascii=False))
    else:
        console, found_table = Terminal(soft_wrap=False), Table(box=None, pad_edge=False)
        for key in rows[0] if rows else ():
            found_table.add_column(key, justify="left" if key == "label" else "right", no_wrap=True)
        for row in rows:
            found_table.add_row(*(_cell(_value(value) if key != "label" else value) for key, value in row.items()))
        console.width = max(console.width, WIDTH)
        console.print(found_table)
    return 0


def _one_run(word: str) -> Path:
    found = find.runs(word)
    if len(found) > 1:
        message = f"has {len(found)} trials; name one: tlx results {found[0]} --per-class"
        raise ConfigError([ConfigIssue("--per-class", message, word)])
    return found[0]


def _value(text: str) -> float | int | None:
    if not text:
        return None
    return int(text) if text.isdecimal() else float(text)


def _write(path: Path, rows: Sequence[Mapping[str, Any]], mark: str = "trial,") -> None:
    target.check("--csv", path, mark, "table of tlx results")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["trial"])
    writer.writeheader()
    writer.writerows(rows)
    durable.write(path, text.getvalue())
    print(f"{len(rows)} {'trials' if mark == 'trial,' else 'classes'} are in {path}")


def _show(rows: list[dict[str, Any]]) -> None:
    """Without the columns that are the same in every row, and without folders, which the name tells."""
    console = Terminal(soft_wrap=False)
    hidden = {"folder", "wall_seconds", "backbone", "strategy", "dataset", "dataset.shots", "seed"}
    shown = [key for key in (rows[0] if rows else {}) if key not in hidden]
    found = Table(box=None, pad_edge=False)
    for key in shown:
        found.add_column(key, justify="left" if key in ("trial", "state") else "right", no_wrap=True)
    for row in rows:
        found.add_row(*(_cell(row[key]) for key in shown))
    console.width = max(console.width, 60 + 12 * len(shown))  # columns cut short would say nothing
    console.print(found)


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else printable(value)
