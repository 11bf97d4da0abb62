"""tlx diff A B: how two runs differ: configuration, code, libraries, data, machine, metrics.

tlx diff runs/A runs/B          (run folders, or MLflow runs)
"""

from __future__ import annotations

import json

from rich.table import Table

from tlx.cli.arguments import Arguments
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.identity import identity_fields
from tlx.files.printable import printable
from tlx.orchestration import find
from tlx.provenance import compare
from tlx.provenance.compare import SAME
from tlx.reports.console import Terminal
from tlx.runs import manifest
from tlx.runs.folder import read_config
from tlx.runs.result import read_result
from tlx.tracking import event_log


def run(words: list[str]) -> int:
    """The verb."""
    arguments = Arguments()
    arguments.flag("--json")
    asked = arguments.take(words)
    words = asked.words
    if len(words) != 2:
        raise ConfigError([ConfigIssue("runs", "expected two: run folders or MLflow runs", " ".join(words))])
    found = [find.runs(word) for word in words]
    many = [word for word, folders in zip(words, found, strict=True) if len(folders) > 1]
    if many:
        raise ConfigError([ConfigIssue("runs", "a sweep has many trials; name one of them", word) for word in many])
    (one,), (other,) = found
    rows = compare.settings(identity_fields(read_config(one)), identity_fields(read_config(other)))
    rows += compare.surroundings(manifest.read(one), manifest.read(other))
    first, second = read_result(one).metrics, read_result(other).metrics
    first_difference = event_log.first_difference(event_log.metrics(one), event_log.metrics(other))
    if asked.json:
        told = [{"state": row.state, "section": row.section, "what": str(row)} for row in rows]
        metrics = {name: [first.get(name), second.get(name)] for name in dict.fromkeys((*first, *second))}
        print(json.dumps({"rows": told, "metrics": metrics, "first_difference": first_difference}, indent=2))
        return 0
    console = Terminal()
    for row in rows:
        if row.state != SAME:
            console.print(printable(f"{row.state:<8}{row}"))
    same = [row.section for row in rows if row.state == SAME]
    console.print(f"same    {', '.join(same) or 'nothing'}")
    table = Table(box=None, pad_edge=False)
    for title in ("metric", "first", "second", "difference"):
        table.add_column(title, justify="left" if title == "metric" else "right")
    for name in dict.fromkeys((*first, *second)):
        values = first.get(name), second.get(name)
        apart = "" if None in values else f"{values[1] - values[0]:+.4g}"  # type: ignore[operator]
        table.add_row(printable(name), *("-" if value is None else f"{value:.6g}" for value in values), apart)
    console.print(table)
    console.print(
        printable(
            f"the event logs {'part at ' + first_difference if first_difference else 'are the same to the last bit'}"
        )
    )
    return 0
