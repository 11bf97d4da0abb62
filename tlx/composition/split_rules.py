"""How examples are cut into splits and labelled is said once, and can be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlx.config import patterns
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue
from tlx.config.select import select

TEST = Dataset.test  # the share of train that tests, where nothing else is said


def groups_are_said_once(config: Any) -> Iterator[ConfigIssue]:
    """A pattern of groups can be read and has one group; a column and a pattern would be two sets of groups."""
    group = config.dataset.group
    if group.pattern is None:
        return
    try:
        patterns.captured(group.pattern, [])
    except patterns.Refused as error:
        yield ConfigIssue("dataset.group.pattern", str(error), group.pattern)
    if group.column is not None:
        message = f"dataset.group.pattern = {group.pattern!r} says the groups as well; leave one of the two"
        yield ConfigIssue("dataset.group.column", message, group.column)


def folds_make_sense(config: Any) -> Iterator[ConfigIssue]:
    """There are as many folds as the number of one asks for, and no other test."""
    dataset = config.dataset
    if dataset.folds is None:
        if dataset.fold:
            yield ConfigIssue("dataset.fold", "there are no folds; set dataset.folds, or leave it at 0", dataset.fold)
        return
    if dataset.fold >= dataset.folds:
        message = f"expected 0 to {dataset.folds - 1}, as dataset.folds={dataset.folds}"
        yield ConfigIssue("dataset.fold", message, dataset.fold)
    if dataset.test != TEST:
        message = f"with dataset.folds one of the {dataset.folds} parts tests, whatever their share; leave it at {TEST}"
        yield ConfigIssue("dataset.test", message, dataset.test)


def duplicates_can_be_kept_together(config: Any) -> Iterator[ConfigIssue]:
    """Time is not put in order by what is equal, and only images are nearly equal."""
    dataset = config.dataset
    if dataset.duplicates == "group" and dataset.split_by == "time":
        message = "splits follow each other in time, whatever is equal; use warn or error, or another split_by"
        yield ConfigIssue("dataset.duplicates", message, "group")
    columns = getattr(dataset, "columns", None) or {}
    kinds = {one.type for one in columns.values()} or {dataset.modality}
    if dataset.near_duplicates is not None and "image" not in kinds:
        message = f"is for images, these data are {'s and '.join(sorted(kinds))}s; leave it at null"
        yield ConfigIssue("dataset.near_duplicates", message, dataset.near_duplicates)


def labels_are_said_once(config: Any) -> Iterator[ConfigIssue]:
    """Labels are columns of their own, or parts of one cell."""
    labels = list(select(config, "dataset.labels") or ())
    unknown = select(config, "dataset.unknown")
    if not labels:
        if unknown not in (None, "ignore"):
            message = "is of labels in columns of their own; name them in dataset.labels, or leave it at ignore"
            yield ConfigIssue("dataset.unknown", message, unknown)
        return
    for name in sorted({name for name in labels if labels.count(name) > 1}):
        yield ConfigIssue("dataset.labels", "stands there twice; leave one out", name)
    for key, value, usual in (
        ("label_separator", config.dataset.label_separator, None),
        ("label_type", config.dataset.label_type, "label"),
    ):
        if value != usual:
            message = "is of one column, and dataset.labels names one for each label; leave it out"
            yield ConfigIssue(f"dataset.{key}", message, value)


def studies_have_a_test(config: Any) -> Iterator[ConfigIssue]:
    """A study reports what the test split says, and its seeds are folds where those are what varies."""
    study, dataset = config.study, config.dataset
    if study is None:
        return
    if dataset.test == 0 and dataset.folds is None:
        message = "a study reports the test split; set a share above 0 (data that bring a test split are not cut)"
        yield ConfigIssue("dataset.test", message, dataset.test)
    if "fold" not in study.vary:
        return
    if "split" in study.vary:
        message = (
            "each fold would be one of another partition, in which examples are tested twice or never: fold alone "
        )
        yield ConfigIssue("study.vary", f"{message}tests each once", "split")
    if dataset.folds is None:
        yield ConfigIssue("study.vary", "there are no folds; set dataset.folds", "fold")
        return
    variance = [] if study.variance is None else list(study.variance.seeds)
    for key, seeds in (("seeds", study.seeds), ("tune_seeds", study.tune_seeds or ()), ("variance.seeds", variance)):
        for seed in sorted(seed for seed in seeds if seed >= dataset.folds):
            otherwise = ", or null: each fold chooses for itself" if key == "tune_seeds" else ""
            message = f"is a fold here (study.vary): expected 0 to {dataset.folds - 1}{otherwise}"
            yield ConfigIssue(f"study.{key}", message, seed)
