"""The report of a study: one self-contained page without JavaScript, its figures, a table for terminals, a note."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from tlx.files import durable, foreign
from tlx.reports.figures import draw
from tlx.reports.study_results import CellFinding, Run, StudyResults
from tlx.runs.layout import RESULT, SCHEDULE
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.statistics.intervals import Estimate
from tlx.version import VERSION

FILE = "report.html"
_LARGEST = 1 << 20  # bytes of a trial's picture


def write(found: StudyResults, folder: Path) -> Path:
    """Write ``report.html`` and the figures as SVG into a study's folder; returns the page's path."""
    durable.make_folder(folder)
    figures = draw(found)
    for name, svg in figures.items():
        durable.write(folder / f"{name}.svg", svg)
    environment = Environment(loader=PackageLoader("tlx.reports", ""), autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("study.html.j2").render(
        found=found,
        figures=figures,
        metric=found.metric,
        compared=compared(found),
        axis=found.study.axis.rsplit(".", 1)[-1],
        verdicts=[(cell, found.sentence(cell)) for cell in found.cells.values() if cell.arm != found.study.control],
        best=best_arms(found),
        trained={
            arm: max(c.runs[0].result.trained for c in found.cells.values() if c.arm == arm) for arm in found.arms
        },
        schedules=schedules(found, folder),
        mean=mean,
        gain=gain,
        steps=steps,
        link=link,
        folder_link=_folder_link,
        version=VERSION,
    )
    durable.write(folder / FILE, text)
    return folder / FILE


def best_arms(found: StudyResults) -> dict[Any, str]:
    """The arm with the best mean at each point."""
    best: dict[Any, str] = {}
    for point in found.study.points:
        cells = [cell for cell in found.cells.values() if cell.point == point]
        best[point] = max(cells, key=lambda cell: found.metric.sign * cell.score.mean).arm if cells else ""
    return best


def schedules(found: StudyResults, folder: Path) -> dict[str, str]:
    """What trained when, as the address of an image: of each arm the first seed's trial at the last point.

    As an image an SVG runs nothing and loads nothing, whoever wrote it.
    """
    pictures = {}
    for arm in found.arms:
        cells = [cell for cell in found.cells.values() if cell.arm == arm]
        if not cells:
            continue
        try:
            svg = foreign.read(folder.parent / cells[-1].runs[0].result.folder / SCHEDULE, _LARGEST)
        except (FileNotFoundError, foreign.Unreadable):
            continue
        pictures[arm] = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return pictures


def compared(found: StudyResults) -> str:
    """What a difference from the control is called: a gain only where more is better."""
    return "gain over" if found.metric.goal == "max" else "difference from"


def rows(found: StudyResults) -> list[list[str]]:
    """The table for a terminal: arm, score at each point, paired gain at each point."""
    table = []
    for arm in found.arms:
        cells = [found.cells.get((arm, point)) for point in found.study.points]
        scores = [mean(cell.score, found.metric) if cell else "-" for cell in cells]
        control = arm == found.study.control
        table.append([arm, *scores, *("control" if control else gain(cell, found.metric) for cell in cells)])
    return table


def markdown(found: StudyResults) -> str:
    """The same table as Markdown, for MLflow's note."""
    axis = found.study.axis.rsplit(".", 1)[-1]
    head = ["arm", *(f"{axis}={p}" for p in found.study.points), *(f"gain, {axis}={p}" for p in found.study.points)]
    lines = [head, ["---"] * len(head), *rows(found)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    best = "more is better" if found.metric.goal == "max" else "less is better"
    legend = (
        f"Test {found.metric.title}{found.metric.unit} ({best}), 95 % intervals; ~ covers zero: no difference shown."
    )
    return f"**{found.study.question}**\n\n{table}\n\n{legend}"


def mean(value: Estimate, metric: Metric) -> str:
    """``90.8 ± 1.2``."""
    return metric.written(value.mean) + ("" if value.half is None else f" ± {metric.written(value.half)}")


def gain(cell: CellFinding | None, metric: Metric) -> str:
    """``+3.1 [+2.0, +4.2]``, with a ``~`` where the interval covers zero."""
    if cell is None or cell.gain is None:
        return "-"
    value = cell.gain
    if value.low is None or value.high is None:
        why = "alike on every seed" if value.is_degenerate else "one seed"
        return f"{metric.written(value.mean, signed=True)} ({why})"
    low, high = metric.written(value.low, signed=True), metric.written(value.high, signed=True)
    interval = f"{metric.written(value.mean, signed=True)} [{low}, {high}]"
    return f"{interval}{'' if value.clear else ' ~'}"


def steps(cell: CellFinding | None) -> str:
    """The median, or why there is none."""
    if cell is None or not cell.runs[0].curve:
        return "–"
    return "not reached" if cell.steps is None else str(cell.steps)


def link(run: Run) -> str:
    """The run's record, relative to the study's folder."""
    return _folder_link(run.result)


def _folder_link(result: Result) -> str:
    return f"../{quote(result.folder)}/{RESULT}"
