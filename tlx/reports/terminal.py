"""The end of a study on a terminal: its tables, the path of its page, and the line that opens MLflow."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tlx.files.printable import printable
from tlx.reports import page
from tlx.reports.study_results import StudyResults


def show(found: StudyResults, folder: str, console: Console) -> None:
    """Print scores and paired differences."""
    axis = found.study.axis.rsplit(".", 1)[-1]
    console.print(Text(f"\n{printable(found.study.question)}", style="bold"))
    points = [f"{axis} = {point}" for point in found.study.points]
    scores = _table(f"test {found.metric.title}{found.metric.unit}", points)
    gains = _table(f"paired {page.compared(found)} {found.study.control}", points)
    for row in page.rows(found):
        scores.add_row(*row[: len(points) + 1])
        if row[0] != found.study.control:
            gains.add_row(row[0], *row[len(points) + 1 :])
    console.print(scores)
    console.print()
    console.print(gains)
    console.print(f"\n95 % intervals over {len(found.study.seeds)} seeds; ~ covers zero: no difference is shown.")
    short = [cell for cell in found.cells.values() if cell.score.n < len(found.study.seeds)]
    for cell in short:
        console.print(f"{cell.arm} at {axis} = {cell.point} has {cell.score.n} seeds only", markup=False)
    console.print(f"report: {folder}/{page.FILE}", markup=False, soft_wrap=True)
    console.print(f"pages:  tlx ui {found.name}", markup=False)


def _table(title: str, points: list[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title)
    for point in points:
        table.add_column(point, justify="right", no_wrap=True)
    return table
