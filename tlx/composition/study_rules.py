"""A study can answer its question: nothing counts twice, what chooses is not reported, and the test decides nothing."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

from tlx.config.errors import ConfigIssue, suggest
from tlx.config.select import select
from tlx.config.study import SOURCES

SEEDS = ("seed", *SOURCES.values())
# what decides which examples validate: candidates that differ in it cannot be compared on validation
_EXAMPLES = (
    *("dataset.split_by", "dataset.group.column", "dataset.group.pattern", "dataset.time", "dataset.folds"),
    *("dataset.duplicates", "dataset.near_duplicates", "dataset.folders", "dataset.nested", "dataset.band_files"),
    *("dataset.val", "dataset.test", "dataset.shots", "dataset.validation", "dataset.root", "dataset.file"),
    *("dataset.val_file", "dataset.test_file", "dataset.name", "dataset.kind", "dataset.table", "dataset.splits"),
    *("dataset.config", "dataset.revision", "dataset.content", "dataset.on_bad", "dataset.limits"),
    # or what is true of them (of dataset.columns: below)
    *("dataset.label", "dataset.label_type", "dataset.label_separator", "dataset.labels", "dataset.unknown"),
)
_OF_COLUMNS = ("type", "column", "role", "band_files")
OF_TEST = ("dataset.test_augment",)  # what validation does not see


def studies_can_answer(config: Any) -> Iterator[ConfigIssue]:
    """There is something to run, each thing once, and a control to compare with."""
    study = config.study
    if study is None:
        return
    names = arm_names(study)
    if study.control not in names:
        hint = suggest(study.control, names) or f"; the arms are {', '.join(names)}"
        yield ConfigIssue("study.control", f"not an arm{hint}", study.control)
    for key in ("points", "seeds", "vary"):
        values = list(getattr(study, key))
        if not values:
            yield ConfigIssue(f"study.{key}", "empty: nothing would be run", None)
        yield from _once(f"study.{key}", values)
    yield from _once("study.tune_seeds", list(study.tune_seeds or ()))
    if study.tune_seeds is not None:
        if not study.tune_seeds:
            message = "empty: no seed would tune; name some, or null: each reported seed chooses for itself"
            yield ConfigIssue("study.tune_seeds", message, None)
        for seed in sorted(set(study.tune_seeds) & set(study.seeds)):
            message = "chooses and is reported, which flatters what is tuned; take other seeds, or null"
            yield ConfigIssue("study.tune_seeds", message, seed)
    for source in study.vary:
        if source not in SOURCES:
            hint = suggest(source, SOURCES) or f"; expected some of {', '.join(SOURCES)}"
            yield ConfigIssue("study.vary", f"no source of variation{hint}", source)
    yield from _variance(study, names)


def _variance(study: Any, names: Sequence[str]) -> Iterator[ConfigIssue]:
    if study.variance is None:
        return
    if len(set(study.variance.seeds)) < 2:
        message = "expected two seeds or more: of one there is no variance"
        yield ConfigIssue("study.variance.seeds", message, list(study.variance.seeds))
    yield from _once("study.variance.seeds", list(study.variance.seeds))
    for arm in study.variance.arms:
        if arm not in names:
            yield ConfigIssue("study.variance.arms", f"not an arm{suggest(arm, names)}", arm)


def studies_tune_what_they_may(config: Any) -> Iterator[ConfigIssue]:
    """What is tuned is neither the axis, nor a seed, nor which examples there are; an arm sets no axis and no seed."""
    study = config.study
    if study is None:
        return
    tuned = [(f"study.arms.{arm}.tune", options.tune) for arm, options in study.arms.items()]
    for where, tune in [*tuned, ("study.tune", study.tune)]:
        for key, values in tune.items():
            name = f"{where}.{key}"
            if not _is_list(values) or not len(values):
                yield ConfigIssue(name, "expected a list of values", values)
                continue
            yield from _once(name, list(values))
            yield from _free(name, str(key), study, "tuned")
    for key, values in study.axes.items():
        yield from _free(f"study.axes.{key}", str(key), study, "an arm")
        if _is_list(values):
            yield from _once(f"study.axes.{key}", list(values))
            yield from _has_no_test(f"study.axes.{key}", str(key), list(values))
    for arm, options in study.arms.items():
        for word in options.overrides:
            key, _, value = str(word).lstrip("+").partition("=")
            yield from _has_no_test(f"study.arms.{arm}.overrides", key, [value])
            if key in (study.axis, *SEEDS):
                message = f"is the study's to set ({'study.axis' if key not in SEEDS else 'study.seeds'}); leave it out"
                yield ConfigIssue(f"study.arms.{arm}.overrides", message, word)
    yield from _has_no_test("study.points", str(study.axis), list(study.points))
    if study.axis in SEEDS:
        yield ConfigIssue("study.axis", "a seed is no axis: study.seeds and study.vary say what varies", study.axis)


def decides_examples(key: str) -> bool:
    """Does a key, or what it holds or is held by, say which examples there are or what is true of them?"""
    steps = key.split(".")
    if steps[:2] == ["dataset", "columns"]:  # how a column is read is another matter
        return len(steps) < 4 or steps[3] in _OF_COLUMNS
    return any(f"{key}.".startswith(f"{one}.") or f"{one}.".startswith(f"{key}.") for one in _EXAMPLES)


def _has_no_test(where: str, key: str, values: Sequence[Any]) -> Iterator[ConfigIssue]:
    """A share of the test that is 0: a study reports what the test says."""
    for value in values if key == "dataset.test" else ():
        try:
            is_none = float(value) == 0
        except (TypeError, ValueError):  # told elsewhere
            continue
        if is_none:
            message = "a study reports the test split, and there would be none; take shares above 0"
            yield ConfigIssue(where, message, value)


def _free(where: str, key: str, study: Any, what: str) -> Iterator[ConfigIssue]:
    if key in (study.axis, f"{study.axis}.name", f"{study.axis}.kind"):
        message = f"{key} is {what} and the axis ({study.axis}), whose points would hold each other's trials"
        yield ConfigIssue(where, message, key)
    elif key in SEEDS:
        yield ConfigIssue(where, "a seed is chance, and no setting to choose: leave it out (study.seeds)", key)
    elif what == "tuned" and key in OF_TEST:
        yield ConfigIssue(where, "is seen by the test alone: on validation all candidates are equal; leave it out", key)
    elif what == "tuned" and decides_examples(key):
        message = "decides which examples validate, so candidates could not be compared; make it the axis, or an arm's"
        yield ConfigIssue(where, message, key)


def test_decides_nothing(config: Any) -> Iterator[ConfigIssue]:
    """No choice goes by the test set, and what validates is not what tests."""
    search = config.search
    chosen: list[tuple[str, Any]] = []
    if search is not None:
        chosen += [(f"search.objectives.{i}.metric", one.metric) for i, one in enumerate(search.objectives)]
        chosen += [("search.pruning.metric", search.pruning.metric)] if search.pruning is not None else []
    for i, phase in enumerate(config.strategy.phases):
        for part in ("plateau", "threshold"):
            stop = getattr(phase, part, None)
            chosen += [(f"strategy.phases.{i}.{part}.monitor", stop.monitor)] if stop is not None else []
    chosen.append(("task.primary_metric", select(config, "task.primary_metric")))
    for key, name in chosen:
        if str(name).startswith(("test/", "test_")):
            message = f"the test set decides nothing: choose by validation (val/{str(name)[5:]})"
            yield ConfigIssue(key, message, name)
    files = {key: select(config, f"dataset.{key}") for key in ("file", "val_file", "test_file")}
    for key in ("file", "val_file"):
        if files[key] is not None and files["test_file"] is not None and _same(files[key], files["test_file"]):
            use = "trains" if key == "file" else "chooses"
            message = f"is the file that {use} as well (dataset.{key}): a test on it says nothing; name another"
            yield ConfigIssue("dataset.test_file", message, files["test_file"])


def arm_names(study: Any) -> list[str]:
    """The arms by name, those of the axes' combinations last."""
    axes = [list(values) for values in study.axes.values() if _is_list(values)]
    return [*study.arms, *(" + ".join(map(str, values)) for values in (itertools.product(*axes) if axes else ()))]


def _once(key: str, values: Sequence[Any]) -> Iterator[ConfigIssue]:
    """Each value stands there once, however it is written: 1 and 1.0 are one."""
    seen: list[Any] = []
    for value in values:
        if any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in seen):
            yield ConfigIssue(key, "stands there twice, and would count twice; leave one out", value)
        seen.append(value)


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str)


def _same(one: Any, other: Any) -> bool:
    try:
        return os.path.samefile(os.path.expanduser(str(one)), os.path.expanduser(str(other)))
    except (OSError, ValueError):
        return str(one) == str(other)
