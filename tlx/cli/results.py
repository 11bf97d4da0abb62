"""tlx results NAME [--csv FILE] [--json] [output=runs]: the trials of a sweep, what they found and what they cost.

tlx results quickstart                    (the sweep last run of that name; a folder does as well)
tlx results quickstart --csv table.csv    (all its columns: settings, metrics, seconds, folders)
tlx results quickstart --json
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from rich.table import Table

from tlx.cli import target
from tlx.cli.arguments import Arguments
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable
from tlx.files.printable import printable
from tlx.orchestration import table
from tlx.orchestration.status import named
from tlx.reports.console import Terminal


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.value("--csv", "a file to write")
    arguments.flag("--json")
    asked = arguments.take(words)
    root = Path(next((word.partition("=")[2] for word in asked.words if word.startswith("output=")), "runs"))
    names = [word for word in asked.words if not word.startswith("output=")]
    if len(names) > 1:
        raise ConfigError([ConfigIssue("results", "expected one sweep", " ".join(names))])
    sweep = named(root, names)[-1]
    rows = table.rows(sweep)
    if asked.csv is not None:
        _write(Path(asked.csv), rows)
    elif asked.json:
        print(json.dumps({"sweep": str(sweep), "trials": rows}, indent=2))
    else:
        _show(rows)
    return 0


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    target.check("--csv", path, "trial,", "table of tlx results")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["trial"])
    writer.writeheader()
    writer.writerows(rows)
    durable.write(path, text.getvalue())
    print(f"{len(rows)} trials are in {path}")


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
