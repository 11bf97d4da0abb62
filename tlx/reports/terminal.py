"""The end of a study on a terminal: its tables, what weakens them, its page, and the line that opens MLflow."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tlx.files.printable import printable
from tlx.reports import notes, page, tables
from tlx.reports.study_results import StudyResults

_SHOWN = 3  # lines of each warning


def show(found: StudyResults, folder: str, console: Console) -> None:
    """Print scores, paired differences and warnings."""
    console.print(Text(f"\n{printable(found.study.question)}", style="bold"))
    points = [f"{found.axis} = {point}" for point in found.study.points]
    scores = _table(f"test {found.metric.title}{found.metric.unit}", points)
    gains = _table(f"paired {tables.compared(found)} {found.study.control}", points)
    for row in tables.rows(found):
        scores.add_row(*row[: len(points) + 1])
        if row[0] != found.study.control:
            gains.add_row(row[0], *row[len(points) + 1 :])
    console.print(scores)
    console.print()
    console.print(gains)
    console.print(f"\n{tables.intervals(found)}")
    for title, lines in notes.warnings(found):
        more = [f"and {len(lines) - _SHOWN} more (see the report)"] if len(lines) > _SHOWN else []
        console.print(f"{title}:", markup=False)
        for line in [*lines[:_SHOWN], *more]:
            console.print(f"  {printable(line)}", markup=False, soft_wrap=True)
    console.print(f"report: {folder}/{page.FILE}", markup=False, soft_wrap=True)
    console.print(f"pages:  tlx ui {found.name}", markup=False)


def _table(title: str, points: list[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title)
    for point in points:
        table.add_column(point, justify="right", no_wrap=True)
    return table
