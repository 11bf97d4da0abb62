"""The metrics that can be added to a task, from torchmetrics."""

from __future__ import annotations

from collections.abc import Sequence

from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassCalibrationError,
    MulticlassFBetaScore,
    MulticlassMatthewsCorrCoef,
    MultilabelFBetaScore,
)
from torchmetrics.regression import MeanAbsolutePercentageError, PearsonCorrCoef

from tlx.columns import Column, Label, Labels, Number
from tlx.config import metrics
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.runs.metric import Metric
from tlx.tasks import multilabel
from tlx.tasks.metrics import AddedMetric


def fbeta(options: metrics.FBeta, targets: Sequence[Column]) -> AddedMetric:
    """F-beta, of one label or several."""
    title = f"{options.average} F{options.beta:g}"
    info = Metric("fbeta", title, "max", percent=True)
    column = targets[0]
    if len(targets) == 1 and isinstance(column, Labels):
        count, average = len(column.classes), options.average
        several = MultilabelFBetaScore(options.beta, count, multilabel.THRESHOLD, average, ignore_index=-1)  # type: ignore[arg-type]
        return AddedMetric(several, info)
    count = _classes("fbeta", targets)
    return AddedMetric(MulticlassFBetaScore(options.beta, count, average=options.average), info)  # type: ignore[arg-type]


def matthews(options: metrics.Matthews, targets: Sequence[Column]) -> AddedMetric:
    """Matthews' correlation."""
    count = _classes("matthews", targets)
    return AddedMetric(MulticlassMatthewsCorrCoef(count), Metric("matthews", "Matthews' correlation", "max"))


def top_k(options: metrics.TopK, targets: Sequence[Column]) -> AddedMetric:
    """Accuracy of the likeliest classes; raises :class:`ConfigError` where there are not as many."""
    count = _classes("top_k", targets)
    if options.k > count:
        raise ConfigError([ConfigIssue("task.metrics.top_k.k", f"there are {count} classes", options.k)])
    info = Metric("top_k", f"top-{options.k} accuracy", "max", percent=True)
    return AddedMetric(MulticlassAccuracy(count, top_k=options.k, average="micro"), info)


def auroc(options: metrics.AUROC, targets: Sequence[Column]) -> AddedMetric:
    """Area under the ROC curve; several labels have theirs anyway."""
    count = _classes("auroc", targets)
    return AddedMetric(MulticlassAUROC(count), Metric("auroc", "macro AUROC", "max", percent=True))


def calibration_error(options: metrics.CalibrationError, targets: Sequence[Column]) -> AddedMetric:
    """Expected calibration error."""
    count = _classes("calibration_error", targets)
    info = Metric("calibration_error", "calibration error", "min", percent=True)
    return AddedMetric(MulticlassCalibrationError(count, n_bins=options.bins), info)


def pearson(options: metrics.Pearson, targets: Sequence[Column]) -> AddedMetric:
    """Pearson's correlation."""
    _one_number("pearson", targets)
    return AddedMetric(PearsonCorrCoef(), Metric("pearson", "Pearson's correlation", "max"))


def mape(options: metrics.MAPE, targets: Sequence[Column]) -> AddedMetric:
    """Mean absolute percentage error."""
    _one_number("mape", targets)
    info = Metric("mape", "mean absolute percentage error", "min", percent=True)
    return AddedMetric(MeanAbsolutePercentageError(), info)


def _classes(name: str, targets: Sequence[Column]) -> int:
    """How many classes there are; raises :class:`ConfigError` where not one of several is predicted."""
    if len(targets) == 1 and isinstance(targets[0], Label):
        return len(targets[0].classes)
    raise _not_for(name, "one label per example", targets)


def _one_number(name: str, targets: Sequence[Column]) -> None:
    if not (len(targets) == 1 and isinstance(targets[0], Number)):
        raise _not_for(name, "one number per example", targets)


def _not_for(name: str, wanted: str, targets: Sequence[Column]) -> ConfigError:
    there = ", ".join(f"{column.name!r} ({column.kind})" for column in targets) or "none"
    return ConfigError([ConfigIssue(f"task.metrics.{name}", f"is of {wanted}; predicted are {there}")])
