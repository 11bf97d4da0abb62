"""From the results of a study to the numbers of its report; reads result files and event logs only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlx.config.study import Study
from tlx.reports.speed import median_censored, steps_to
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.statistics.comparison import compare
from tlx.statistics.intervals import Estimate, estimate
from tlx.tracking import event_log

Curve = list[tuple[int, float]]
_NOTHING = Metric("", "score", "max")  # of a study without results


@dataclass(frozen=True)
class Run:
    """One trial of a cell: its seed, score on test, curve on validation, and where its record is."""

    seed: int
    score: float
    curve: Curve
    result: Result


@dataclass(frozen=True)
class CellFinding:
    """One arm at one point."""

    arm: str
    point: Any
    runs: tuple[Run, ...]
    score: Estimate
    gain: Estimate | None  # over the control, paired by seed
    steps: int | None  # median steps to the target on validation; None: never
    chosen: dict[str, Any]
    cpu: Estimate


@dataclass(frozen=True)
class StudyResults:
    """Everything the report shows."""

    name: str
    study: Study
    metric: Metric
    cells: dict[tuple[str, Any], CellFinding]
    source: Result | None
    tuning_cpu: dict[str, float]  # what choosing cost each arm, CPU-seconds beyond the chosen runs
    failures: tuple[tuple[str, str], ...]
    command: str  # what runs this study

    @property
    def arms(self) -> list[str]:
        """Arms with results, in the study's order."""
        return [arm for arm in self.study.arms if any(key[0] == arm for key in self.cells)]

    def sentence(self, cell: CellFinding) -> str:
        """What the comparison with the control says, and no more."""
        where = f"{self.study.axis.rsplit('.', 1)[-1]} = {cell.point}"
        if cell.gain is None:
            return f"{cell.arm}, {where}: no seeds in common with {self.study.control}."
        gain, n = cell.gain, cell.gain.n
        if gain.is_degenerate:
            return f"{cell.arm}, {where}: {self._difference(gain.mean)} on each of {n} seeds; alike, so no interval."
        if gain.low is None or gain.high is None:
            return f"{cell.arm}, {where}: {self._difference(gain.mean)} on one seed; one seed has no interval."
        low, high = self.metric.written(gain.low, signed=True), self.metric.written(gain.high, signed=True)
        interval = f"{self._difference(gain.mean)}, 95 % interval {low} to {high}, {n} paired seeds"
        if not gain.clear:
            return f"{cell.arm}, {where}: no difference from {self.study.control} shown ({interval}: it covers zero)."
        return f"{cell.arm}, {where}: {self.verdict(cell)} than {self.study.control} ({interval})."

    def verdict(self, cell: CellFinding) -> str:
        """``better`` or ``worse`` than the control, or ``open`` where the interval covers zero."""
        if cell.gain is None or not cell.gain.clear:
            return "open"
        return "better" if self.metric.sign * cell.gain.mean > 0 else "worse"

    def _difference(self, value: float) -> str:
        return self.metric.written(value, signed=True) + (" points" if self.metric.percent else "")


def gather(
    name: str,
    study: Study,
    output: Path,
    cells: dict[tuple[str, Any], dict[int, Result]],
    chosen: dict[tuple[str, Any], dict[str, Any]],
    tried: dict[tuple[str, Any], Sequence[Result]],
    source: Result | None,
    failures: Sequence[tuple[str, str]],
    command: str,
) -> StudyResults:
    """Compute every number of the report. ``output`` is the folder that holds the run folders."""
    results = [result for found in cells.values() for result in found.values()]
    metric = results[0].primary if results else _NOTHING
    others = [one for one in results if one.primary.name != metric.name]
    failures = [
        *failures,
        *((one.name, f"is compared by {one.primary.name}, the others by {metric.name}") for one in others),
    ]
    runs = {key: _runs(output, found, metric) for key, found in cells.items() if found}
    control = {point: {r.seed: r.score for r in rs} for (arm, point), rs in runs.items() if arm == study.control}
    findings = {}
    for key, mine in runs.items():
        arm, point = key
        scores = {run.seed: run.score for run in mine}
        compared = compare(scores, control.get(point, {})) if arm != study.control else None
        findings[key] = CellFinding(
            arm=arm,
            point=point,
            runs=tuple(mine),
            score=estimate(list(scores.values())),
            gain=compared.difference if compared else None,
            steps=median_censored([steps_to(run.curve, study.target, metric.goal) for run in mine])
            if mine[0].curve
            else None,
            chosen=chosen.get(key, {}),
            cpu=estimate([run.result.cpu_seconds for run in mine]),
        )
    tuning = {
        arm: sum(
            result.cpu_seconds
            for (a, point), results in tried.items()
            for result in results
            if a == arm and result.identity not in {r.identity for r in cells.get((a, point), {}).values()}
        )
        for arm in study.arms
    }
    return StudyResults(name, study, metric, findings, source, tuning, tuple(failures), command)


def _runs(output: Path, found: dict[int, Result], metric: Metric) -> list[Run]:
    runs = []
    for seed in sorted(found):
        result = found[seed]
        score = result.metrics.get(f"test/{metric.name}")
        if score is None:
            continue
        rows = [row for row in event_log.metrics(output / result.folder) if "train/loss" in row["values"]]
        curve = [
            (row["step"], row["values"][f"val/{metric.name}"])
            for row in rows
            if row["values"].get(f"val/{metric.name}") is not None
        ]
        runs.append(Run(seed, score, curve, result))
    return runs
