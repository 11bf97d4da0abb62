"""From the results of a study to the numbers of its report; reads result files, event logs and predictions only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tlx.config.study import Study
from tlx.reports import comparisons, tuning
from tlx.reports.comparisons import Pair, Verdict
from tlx.reports.correct_examples import Correct, correct_examples, two_way
from tlx.reports.labels_used import LabelsUsed, labels_used
from tlx.reports.speed import Crossing, crossing, median_crossing
from tlx.reports.study_record import Key, StudyRecord
from tlx.reports.tuning import TuningFinding
from tlx.runs import manifest
from tlx.runs.made_with import MadeWith, made_with
from tlx.runs.metric import Metric
from tlx.runs.result import Result
from tlx.runs.test_ledger import Summary, summary
from tlx.statistics.aggregate import aggregate_interval, interquartile_mean
from tlx.statistics.intervals import Estimate, estimate
from tlx.statistics.variance import Share, shares
from tlx.tracking import event_log

Curve = list[tuple[int, float]]
_NOTHING = Metric("score", "score", "max")  # of a study without results


@dataclass(frozen=True)
class Run:
    """One trial of a cell."""

    seed: int
    score: float
    curve: Curve
    result: Result
    labels: LabelsUsed
    made: MadeWith


@dataclass(frozen=True)
class CellFinding:
    """One arm at one point."""

    arm: str
    point: Any
    runs: tuple[Run, ...]
    score: Estimate
    reached: Crossing | None  # the target, on validation: the median over seeds; None: never
    chosen: Mapping[int | None, Mapping[str, Any]]
    cpu: Estimate
    tuning: TuningFinding | None
    variance: Mapping[str, Share]


@dataclass(frozen=True)
class StudyResults:
    """Everything the report shows."""

    record: StudyRecord
    metric: Metric
    cells: Mapping[Key, CellFinding]
    gains: Sequence[Pair]  # over the control
    pairs: Sequence[Pair]  # each arm against each
    failures: Sequence[tuple[str, str]]
    aggregate: Mapping[str, tuple[float, tuple[float, float] | None]]  # interquartile mean over points and seeds
    ledger: Summary

    @property
    def study(self) -> Study:
        """What was asked."""
        return self.record.study

    @property
    def name(self) -> str:
        """Of the study."""
        return self.record.name

    @property
    def axis(self) -> str:
        """The axis as it is called in tables."""
        return self.study.axis.rsplit(".", 1)[-1]

    @property
    def arms(self) -> list[str]:
        """Arms with results, in the study's order."""
        return [arm for arm in self.study.arms if any(key[0] == arm for key in self.cells)]

    def gain(self, arm: str, point: Any) -> Pair | None:
        """The comparison of an arm with the control; None of the control itself, and without a seed in common."""
        return next((pair for pair in self.gains if pair.arm == arm and pair.point == point), None)

    def verdict(self, pair: Pair) -> Verdict:
        """What is shown, all comparisons of the study considered."""
        return pair.verdict(self.metric)

    def best(self, point: Any) -> str | None:
        """The arm that is shown to be better than every other at a point."""
        return comparisons.best_arm(point, self.gains, self.pairs, self.study.control, self.metric)

    @property
    def metric_of_tuning(self) -> tuple[str, float]:
        """The validation metric that chose, and 1 where more of it is better, else -1."""
        return ("val/loss", -1.0) if self.study.tune_on == "loss" else (f"val/{self.metric.name}", self.metric.sign)


def gather(record: StudyRecord) -> StudyResults:
    """Compute every number of the report."""
    study = record.study
    results = [result for found in record.cells.values() for result in found.values()]
    metric = results[0].primary if results else _NOTHING
    failures = [*record.failures]
    for one in results:
        if one.primary.name != metric.name:
            failures.append((one.name, f"is compared by {one.primary.name}, the others by {metric.name}"))
        elif one.metrics.get(f"test/{metric.name}") is None:
            failures.append((one.name, f"test/{metric.name} is undefined"))
    runs = {key: _runs(record, found, metric) for key, found in record.cells.items()}
    runs = {key: found for key, found in runs.items() if found}
    scores = {key: {run.seed: run.score for run in found} for key, found in runs.items()}
    arms = [arm for arm in study.arms if any(key[0] == arm for key in runs)]
    gains = comparisons.with_control(scores, arms, study.points, study.control)
    gains = _with_examples(record, runs, gains, metric)
    if study.margin is not None:
        gains = comparisons.within_margin(gains, study.margin)
    splits = {run.labels.test_split for found in runs.values() for run in found if run.labels.test_split}
    return StudyResults(
        record=record,
        metric=metric,
        cells={key: _cell(record, key, tuple(found), metric) for key, found in runs.items()},
        gains=gains,
        pairs=comparisons.all_pairs(scores, arms, study.points),
        failures=failures,
        aggregate={arm: _aggregate(scores, arm) for arm in arms},
        ledger=summary(record.output, splits),
    )


def _runs(record: StudyRecord, found: Mapping[int, Result], metric: Metric) -> list[Run]:
    runs = []
    for seed in sorted(found):
        result = found[seed]
        score = result.metrics.get(f"test/{metric.name}")
        if score is None:
            continue
        folder = record.output / result.folder
        rows = [row for row in event_log.metrics(folder) if "train/loss" in row["values"]]
        curve = [
            (row["step"], row["values"][f"val/{metric.name}"])
            for row in rows
            if row["values"].get(f"val/{metric.name}") is not None
        ]
        kept = manifest.look(folder)
        labels = labels_used(kept.content if kept is not None and not kept.fault else {})
        runs.append(Run(seed, score, curve, result, labels, made_with(folder)))
    return runs


def _cell(record: StudyRecord, key: Key, mine: tuple[Run, ...], metric: Metric) -> CellFinding:
    study, chosen = record.study, record.chosen.get(key, {})
    tune = study.arms[key[0]].tune
    measure = ("val/loss", -1.0) if study.tune_on == "loss" else (f"val/{metric.name}", metric.sign)
    reported = frozenset(run.result.identity for run in mine)
    return CellFinding(
        arm=key[0],
        point=key[1],
        runs=mine,
        score=estimate([run.score for run in mine]),
        reached=median_crossing([crossing(run.curve, study.target, metric.goal) for run in mine])
        if mine[0].curve
        else None,
        chosen=chosen,
        cpu=estimate([run.result.cpu_seconds for run in mine]),
        tuning=tuning.finding(record.tried[key], tune, list(chosen.values()), measure, reported)
        if record.tried.get(key)
        else None,
        variance=_variance(record.varied.get(key, {}), metric),
    )


def _variance(varied: Mapping[str, Mapping[int, Result]], metric: Metric) -> Mapping[str, Share]:
    values = {
        source: [value for one in found.values() if (value := one.metrics.get(f"test/{metric.name}")) is not None]
        for source, found in varied.items()
    }
    return shares(values) if values else {}


def _aggregate(scores: comparisons.Scores, arm: str) -> tuple[float, tuple[float, float] | None]:
    by_point = {point: list(found.values()) for (name, point), found in scores.items() if name == arm}
    every = [value for values in by_point.values() for value in values]
    return float(interquartile_mean(every)), aggregate_interval(by_point)


def _with_examples(
    record: StudyRecord, runs: Mapping[Key, Sequence[Run]], gains: Sequence[Pair], metric: Metric
) -> list[Pair]:
    """The comparisons with their two-way intervals, where the metric is the share of test examples that are right."""
    if metric.name != "acc" or {"split", "fold"} & set(record.study.vary):
        return list(gains)
    known: dict[str, Correct] = {}

    def of(run: Run) -> Correct:
        folder = run.result.folder
        if folder not in known:
            known[folder] = correct_examples(record.output / folder, run.labels.counts.get("test", 0))
        return known[folder]

    found = []
    for pair in gains:
        mine, others = ({run.seed: run for run in runs[(arm, pair.point)]} for arm in (pair.arm, pair.other))
        seeds = sorted(mine.keys() & others.keys())
        crossed = two_way([of(mine[s]) for s in seeds], [of(others[s]) for s in seeds])
        found.append(replace(pair, crossed=crossed))
    return found
