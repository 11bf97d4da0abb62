"""The report of a study: one self-contained page without JavaScript, its figures, and its numbers as CSV."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from tlx.files import durable, foreign
from tlx.reports import notes, sentences, tables
from tlx.reports.figures import draw
from tlx.reports.study_results import Run, StudyResults
from tlx.runs.layout import RESULT, SCHEDULE
from tlx.runs.result import Result
from tlx.version import VERSION

FILE, RUNS, COMPARISONS = "report.html", "runs.csv", "comparisons.csv"
_LARGEST = 1 << 20  # bytes of a trial's picture


def write(found: StudyResults, folder: Path) -> Path:
    """Write the page, the figures as SVG and the tables as CSV into a study's folder; returns the page's path."""
    durable.make_folder(folder)
    figures = draw(found)
    for name, svg in figures.items():
        durable.write(folder / f"{name}.svg", svg)
    durable.write(folder / RUNS, tables.runs_csv(found))
    durable.write(folder / COMPARISONS, tables.comparisons_csv(found))
    durable.write(folder / FILE, render(found, figures, schedules(found)))
    return folder / FILE


def render(found: StudyResults, figures: Mapping[str, str], pictures: Mapping[str, str]) -> str:
    """The page as text.

    Args:
        found: Its numbers.
        figures: SVG by name.
        pictures: Of each arm's schedule, as the address of an image.
    """
    return _template().render(
        found=found,
        study=found.study,
        figures=figures,
        metric=found.metric,
        tables=tables,
        notes=notes,
        verdicts=[(found.verdict(pair), sentences.sentence(found, pair)) for pair in found.gains],
        sentences=sentences,
        trained={
            arm: max(c.runs[0].result.trained for c in found.cells.values() if c.arm == arm) for arm in found.arms
        },
        schedules=pictures,
        link=link,
        folder_link=_folder_link,
        version=VERSION,
    )


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader("tlx.reports", ""), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("study.html.j2")


def schedules(found: StudyResults) -> dict[str, str]:
    """What trained when, as the address of an image: of each arm the first seed's trial at the last point.

    As an image an SVG runs nothing and loads nothing, whoever wrote it.
    """
    pictures = {}
    for arm in found.arms:
        cells = [cell for cell in found.cells.values() if cell.arm == arm]
        if not cells:
            continue
        try:
            svg = foreign.read(found.record.output / cells[-1].runs[0].result.folder / SCHEDULE, _LARGEST)
        except (FileNotFoundError, foreign.Unreadable):
            continue
        pictures[arm] = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return pictures


def link(run: Run) -> str:
    """The run's record, relative to the study's folder."""
    return _folder_link(run.result)


def _folder_link(result: Result) -> str:
    return f"../{quote(result.folder)}/{RESULT}"
