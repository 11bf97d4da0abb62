"""The figures of a report, as SVG text that says the same in grey, to the colour-blind and on paper.

Colours are Okabe & Ito's (2008); every arm has a marker of its own besides.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tlx.reports.study_results import StudyResults
from tlx.runs.metric import Metric

_COLOURS = ("#999999", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#0072B2")
_MARKERS = ("s", "o", "^", "D", "v", "P", "X", "*")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "tlx",  # the same figure is the same file
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def score_by_point(found: StudyResults) -> str:
    """Test score against the axis, one line per arm with its interval."""
    figure, axes = _figure(7.2, 4.0)
    for i, arm in enumerate(found.arms):
        cells = [found.cells[(arm, point)] for point in found.study.points if (arm, point) in found.cells]
        places = [found.study.points.index(cell.point) + (i - len(found.arms) / 2) * 0.05 for cell in cells]
        half = [found.metric.scaled(cell.score.half or 0.0) for cell in cells]
        means = [found.metric.scaled(cell.score.mean) for cell in cells]
        axes.errorbar(places, means, yerr=half, label=arm, color=_colour(i), marker=_marker(i), ms=5, capsize=3, lw=1.4)
    _categories(axes, found)
    axes.set_ylabel(f"test {found.metric.title}{found.metric.unit}")
    axes.legend(loc="lower right")
    return _svg(figure)


def gains(found: StudyResults) -> str:
    """Paired difference from the control at each point; an interval that crosses the line shows no difference."""
    figure, axes = _figure(7.2, 3.6)
    others = [arm for arm in found.arms if arm != found.study.control]
    for i, arm in enumerate(others):
        pairs = [pair for pair in found.gains if pair.arm == arm]
        places = [found.study.points.index(pair.point) + (i - (len(others) - 1) / 2) * 0.15 for pair in pairs]
        means = [found.metric.scaled(pair.comparison.difference.mean) for pair in pairs]
        half = [found.metric.scaled(pair.comparison.difference.half or 0.0) for pair in pairs]
        k = found.arms.index(arm)
        axes.errorbar(places, means, yerr=half, fmt=_marker(k), label=arm, color=_colour(k), ms=6, capsize=4)
    axes.axhline(0, color="black", lw=1)
    _categories(axes, found)
    axes.set_ylabel(f"{found.metric.title} - {found.study.control}{', points' if found.metric.percent else ''}")
    axes.legend(loc="best", ncols=2)
    return _svg(figure)


def learning_curves(found: StudyResults) -> str:
    """Validation score against optimizer steps: mean over seeds as a line, the seeds behind it."""
    points = [p for p in found.study.points if any(found.cells[k].runs[0].curve for k in found.cells if k[1] == p)]
    figure = Figure(figsize=(2.6 * max(1, len(points)) + 0.8, 3.4), layout="constrained")
    panels = figure.subplots(1, max(1, len(points)), sharey=True, squeeze=False)[0]
    for panel, point in zip(panels, points, strict=False):
        for i, arm in enumerate(found.arms):
            cell = found.cells.get((arm, point))
            if cell is None or not cell.runs[0].curve:
                continue
            for run in cell.runs:
                panel.plot(*_columns(run.curve, found.metric), color=_colour(i), lw=0.6, alpha=0.3)
            shared = [step for step, _ in cell.runs[0].curve]
            mean = [sum(dict(run.curve).get(s, float("nan")) for run in cell.runs) / len(cell.runs) for s in shared]
            shown = [found.metric.scaled(v) for v in mean]
            panel.plot(shared, shown, color=_colour(i), lw=1.8, marker=_marker(i), ms=3.5, label=arm)
        panel.axhline(found.metric.scaled(found.study.target), color="black", lw=0.8, ls=":")
        panel.set_title(f"{found.axis} = {point}", fontsize=10)
        panel.set_xlabel("optimizer steps")
    panels[0].set_ylabel(f"validation {found.metric.title}{found.metric.unit}")
    handles, labels = panels[-1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return _svg(figure)


def cost(found: StudyResults) -> str:
    """CPU-seconds of one trial, by arm and point."""
    figure, axes = _figure(7.2, 3.2)
    width = 0.8 / max(1, len(found.arms))
    for i, arm in enumerate(found.arms):
        cells = [found.cells[(arm, point)] for point in found.study.points if (arm, point) in found.cells]
        places = [found.study.points.index(cell.point) + (i - (len(found.arms) - 1) / 2) * width for cell in cells]
        axes.bar(places, [cell.cpu.mean for cell in cells], width * 0.9, color=_colour(i), label=arm)
    _categories(axes, found)
    axes.set_ylabel("CPU-seconds per trial")
    figure.legend(loc="outside lower center", ncols=4)
    return _svg(figure)


def draw(found: StudyResults) -> dict[str, str]:
    """Every figure of a study by file name."""
    with mpl.rc_context(_STYLE):
        return {
            "score": score_by_point(found),
            "gains": gains(found),
            "curves": learning_curves(found),
            "cost": cost(found),
        }


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _colour(i: int) -> str:
    """The palette; a second turn of it is halfway to white."""
    colour = _COLOURS[i % len(_COLOURS)]
    if i < len(_COLOURS):
        return colour
    return "#" + "".join(f"{(int(colour[k : k + 2], 16) + 255) // 2:02x}" for k in (1, 3, 5))


def _marker(i: int) -> str:
    return _MARKERS[i % len(_MARKERS)]


def _categories(axes: Axes, found: StudyResults) -> None:
    axes.set_xticks(range(len(found.study.points)), [str(point) for point in found.study.points])
    label = {"shots": "labelled examples per class"}.get(found.axis, found.axis)
    axes.set_xlabel(label)


def _columns(curve: list[tuple[int, float]], metric: Metric) -> tuple[list[int], list[float]]:
    return [step for step, _ in curve], [metric.scaled(value) for _, value in curve]


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": "tlx"}
    figure.savefig(stream, format="svg", metadata=metadata)
    text = stream.getvalue()
    return text[re.search(r"<svg", text).start() :]  # type: ignore[union-attr]
