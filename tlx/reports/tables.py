"""The tables of a report, as text: for a terminal, for MLflow's note, and as CSV for whoever computes on."""

from __future__ import annotations

import csv
import io
from typing import Any

from tlx.reports.comparisons import Pair
from tlx.reports.sentences import probability
from tlx.reports.study_results import CellFinding, StudyResults
from tlx.runs.metric import Metric
from tlx.statistics.intervals import Estimate

NOT_SHOWN = "~"


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
        table.append(
            [arm, *scores, *("control" if control else gain(found, found.gain(arm, p)) for p in found.study.points)]
        )
    return table


def markdown(found: StudyResults) -> str:
    """The same table as Markdown, for MLflow's note."""
    axis = found.axis
    head = ["arm", *(f"{axis}={p}" for p in found.study.points), *(f"gain, {axis}={p}" for p in found.study.points)]
    lines = [head, ["---"] * len(head), *rows(found)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"**{found.study.question}**\n\n{table}\n\n{legend(found)}"


def legend(found: StudyResults) -> str:
    """What the table's numbers are."""
    best = "more is better" if found.metric.goal == "max" else "less is better"
    return f"Test {found.metric.title}{found.metric.unit} ({best}), {intervals(found)}"


def intervals(found: StudyResults) -> str:
    """What the intervals are, and what the mark beside them says."""
    seeds, several = len(found.study.seeds), len(found.gains) > 1
    family = f", all {len(found.gains)} comparisons considered (Holm)" if several else ""
    return f"95 % intervals over {seeds} seeds, each for itself; {NOT_SHOWN} no difference is shown{family}."


def mean(value: Estimate, metric: Metric) -> str:
    """``90.8 ± 1.2``."""
    return metric.written(value.mean) + ("" if value.half is None else f" ± {metric.written(value.half)}")


def interval(value: Estimate | None, metric: Metric) -> str:
    """``+3.1 [+2.0, +4.2]``."""
    if value is None:
        return "–"
    if value.low is None or value.high is None:
        why = "one seed" if value.n == 1 else "alike"
        return f"{metric.written(value.mean, signed=True)} ({why})"
    low, high = metric.written(value.low, signed=True), metric.written(value.high, signed=True)
    return f"{metric.written(value.mean, signed=True)} [{low}, {high}]"


def gain(found: StudyResults, pair: Pair | None) -> str:
    """``+3.1 [+2.0, +4.2]``, with a ``~`` where no difference is shown, ``=`` where equivalence is."""
    if pair is None:
        return "-"
    mark = {"open": f" {NOT_SHOWN}", "equivalent": " ="}.get(found.verdict(pair), "")
    return f"{interval(pair.comparison.difference, found.metric)}{mark}"


def reached(cell: CellFinding | None) -> str:
    """Between which validations the target was reached, or why that is not known."""
    if cell is None or not cell.runs[0].curve:
        return "–"
    return "not reached" if cell.reached is None else str(cell.reached)


def runs_csv(found: StudyResults) -> str:
    """A row for each reported trial."""
    validation = found.metric_of_tuning[0]
    names = list(dict.fromkeys(("val/loss", f"val/{found.metric.name}", validation, f"test/{found.metric.name}")))
    head = ["arm", found.study.axis, "seed", *names, "steps", "trained", "cpu_seconds", "chosen", "folder"]
    lines: list[list[Any]] = []
    for cell in found.cells.values():
        for run in cell.runs:
            chosen = cell.chosen.get(run.seed, cell.chosen.get(None, {}))
            values = [run.result.metrics.get(name) for name in names]
            own = [run.result.steps, run.result.trained, run.result.cpu_seconds]
            words = " ".join(f"{key}={value}" for key, value in chosen.items())
            lines.append([cell.arm, cell.point, run.seed, *values, *own, words, run.result.folder])
    return _csv(head, lines)


def comparisons_csv(found: StudyResults) -> str:
    """A row for each pair of arms at each point."""
    head = ["arm", "other", found.study.axis, "seeds", "difference", "low", "high", "bootstrap_low", "bootstrap_high"]
    head += ["p", "p_holm", "p_improvement", "family"]
    lines: list[list[Any]] = []
    for family, pairs in (("control", found.gains), ("pairs", found.pairs)):
        for pair in pairs:
            given, drawn = pair.comparison.difference, pair.comparison.bootstrap or (None, None)
            own = [given.n, given.mean, given.low, given.high, *drawn, pair.comparison.p, pair.p]
            lines.append([pair.arm, pair.other, pair.point, *own, pair.improvement(found.metric), family])
    return _csv(head, lines)


def pair_cell(found: StudyResults, pair: Pair) -> str:
    """A pair in the table of all pairs: the difference, and its p-value among all pairs."""
    return f"{found.metric.written(pair.comparison.difference.mean, signed=True)} (p = {probability(pair.p)})"


def _csv(head: list[str], lines: list[list[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_plain(value) for value in line] for line in lines)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
