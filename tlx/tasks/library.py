"""The metrics that can be added to a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torchmetrics import Metric as Torch
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MultilabelF1Score,
    MultilabelFBetaScore,
    MultilabelPrecision,
    MultilabelRecall,
)
from torchmetrics.functional.classification import binary_auroc, binary_average_precision
from torchmetrics.regression import MeanAbsolutePercentageError, PearsonCorrCoef

from tlx.columns import Column, Label, Labels, Number
from tlx.config import metrics
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.runs.metric import Metric
from tlx.tasks import known_labels, multilabel
from tlx.tasks.brier import BrierScore
from tlx.tasks.class_counts import F1, FBeta, Precision, Recall
from tlx.tasks.class_means import MeanRecall, OneAgainstRest
from tlx.tasks.known_labels import MeanOverKnown, Score
from tlx.tasks.matthews import Matthews
from tlx.tasks.metrics import AddedMetric


def fbeta(options: metrics.FBeta, targets: Sequence[Column]) -> AddedMetric:
    """F-beta, of one label or several."""
    title = f"{options.average} F{options.beta:g}"
    info = Metric("fbeta", title, "max", percent=True)
    if len(targets) == 1 and isinstance(targets[0], Labels):
        pooled = partial(MultilabelFBetaScore, options.beta)
        return AddedMetric(_of_labels(targets[0], options.average, known_labels.fbeta(options.beta), pooled), info)
    count = _classes("fbeta", targets)
    return AddedMetric(FBeta(options.beta, count, options.average), info)


def precision(options: metrics.Precision, targets: Sequence[Column]) -> AddedMetric:
    """Precision, of one label or several."""
    return _averaged("precision", options.average, targets, Precision, MultilabelPrecision, known_labels.precision)


def recall(options: metrics.Recall, targets: Sequence[Column]) -> AddedMetric:
    """Recall, of one label or several."""
    return _averaged("recall", options.average, targets, Recall, MultilabelRecall, known_labels.recall)


def f1(options: metrics.F1, targets: Sequence[Column]) -> AddedMetric:
    """F1, of one label or several."""
    return _averaged("f1", options.average, targets, F1, MultilabelF1Score, known_labels.fbeta(1))


def balanced_accuracy(options: metrics.BalancedAccuracy, targets: Sequence[Column]) -> AddedMetric:
    """Mean recall of the classes that are there."""
    count = _classes("balanced_accuracy", targets)
    return AddedMetric(MeanRecall(count), Metric("balanced_accuracy", "balanced accuracy", "max", percent=True))


def brier(options: metrics.Brier, targets: Sequence[Column]) -> AddedMetric:
    """Brier score, of one label or several."""
    info = Metric("brier", "Brier score", "min")
    if len(targets) == 1 and isinstance(targets[0], Labels):
        return AddedMetric(BrierScore(labels=len(targets[0].classes)), info)
    return AddedMetric(BrierScore(_classes("brier", targets)), info)


def matthews(options: metrics.Matthews, targets: Sequence[Column]) -> AddedMetric:
    """Matthews' correlation."""
    count = _classes("matthews", targets)
    return AddedMetric(Matthews(count), Metric("matthews", "Matthews' correlation", "max"))


def top_k(options: metrics.TopK, targets: Sequence[Column]) -> AddedMetric:
    """Accuracy of the likeliest classes; raises :class:`ConfigError` where there are not as many."""
    count = _classes("top_k", targets)
    if options.k > count:
        raise ConfigError([ConfigIssue("task.metrics.top_k.k", f"there are {count} classes", options.k)])
    info = Metric("top_k", f"top-{options.k} accuracy", "max", percent=True)
    return AddedMetric(
        MulticlassAccuracy(count, top_k=options.k, average="micro", validate_args=False), info, of_logits=True
    )


def auroc(options: metrics.AUROC, targets: Sequence[Column]) -> AddedMetric:
    """Area under the ROC curve; several labels have theirs anyway."""
    found = OneAgainstRest(binary_auroc, _classes("auroc", targets))
    return AddedMetric(found, Metric("auroc", "macro AUROC", "max", percent=True))


def average_precision(options: metrics.AveragePrecision, targets: Sequence[Column]) -> AddedMetric:
    """Average precision; several labels have theirs anyway."""
    found = OneAgainstRest(binary_average_precision, _classes("average_precision", targets))
    return AddedMetric(found, Metric("average_precision", "macro average precision", "max", percent=True))


def calibration_error(options: metrics.CalibrationError, targets: Sequence[Column]) -> AddedMetric:
    """Expected calibration error."""
    count = _classes("calibration_error", targets)
    info = Metric("calibration_error", "calibration error", "min", percent=True)
    return AddedMetric(MulticlassCalibrationError(count, n_bins=options.bins, validate_args=False), info)


def pearson(options: metrics.Pearson, targets: Sequence[Column]) -> AddedMetric:
    """Pearson's correlation."""
    _one_number("pearson", targets)
    return AddedMetric(PearsonCorrCoef(), Metric("pearson", "Pearson's correlation", "max"))


def mape(options: metrics.MAPE, targets: Sequence[Column]) -> AddedMetric:
    """Mean absolute percentage error."""
    _one_number("mape", targets)
    info = Metric("mape", "mean absolute percentage error", "min", percent=True)
    return AddedMetric(MeanAbsolutePercentageError(), info)


def _averaged(
    name: str,
    average: str,
    targets: Sequence[Column],
    one: Callable[..., Torch],
    several: Callable[..., Torch],
    score: Score,
) -> AddedMetric:
    """A metric of one label, or of several, a label being there above the threshold.

    Args:
        name: Of the metric.
        average: Over classes or labels.
        targets: What is predicted.
        one: torchmetrics' of one label.
        several: torchmetrics' of several labels.
        score: The same for each label.
    """
    info = Metric(name, f"{average} {'F1' if name == 'f1' else name}", "max", percent=True)
    if len(targets) == 1 and isinstance(targets[0], Labels):
        return AddedMetric(_of_labels(targets[0], average, score, several), info)
    return AddedMetric(one(_classes(name, targets), average=average), info)


def _of_labels(column: Labels, average: str, score: Score, pooled: Callable[..., Torch]) -> Torch:
    """A metric of several labels; only a macro mean has to ask which of them are known."""
    count = len(column.classes)
    if average == "macro":
        return MeanOverKnown(score, count)
    return pooled(count, multilabel.THRESHOLD, average, ignore_index=-1)


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
