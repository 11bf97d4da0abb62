"""Which examples train, which choose, which test: given, cut, or k shots of each stratum."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from tlx.columns import Label
from tlx.columns.reading import Indices
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import duplicates
from tlx.data.cutting import AtRandom, InTime, InUnits, Rule
from tlx.data.duplicates import Copies
from tlx.data.groups import Groups, groups_of, times_of
from tlx.data.source import Source

NO_TEST = "no test split: dataset.test=0"
_SHOWN = 5  # groups that are named


def hashed(indices: Indices) -> str:
    """The number of examples of a split, and a hash of which and in what order."""
    return f"{len(indices)} {sha256(indices.astype('<i8').tobytes()).hexdigest()[:16]}"


def cut(source: Source, config: Dataset, copies: Copies | None = None) -> dict[str, Indices]:
    """Splits the source brings are kept; missing ones are cut from train, as ``dataset.split_by`` says.

    Args:
        source: Of the examples.
        config: What is asked for.
        copies: Which examples are equal; None: it is found out, where it decides.

    What a person should know of them is put into the source's notes.

    Raises:
        DataError: They cannot be cut, or given ones are not as was asked for.
    """
    splits = dict(source.splits) or {"train": np.arange(len(source))}
    groups = groups_of(source, config)
    if config.duplicates == "group" and copies is None:
        copies = duplicates.copies_of(source, config)
    rule = _rule(source, config, groups, copies)
    if config.folds is not None:
        _cut_fold(source, splits, config, rule)
    elif "test" not in splits and config.test == 0:
        source.notes.append(NO_TEST)
    for name, share in (("test", config.test), ("val", config.val)):
        if name not in splits and share > 0:
            splits["train"], splits[name] = rule.share(splits["train"], share, name)
    empty = [ConfigIssue(f"dataset ({name})", "no examples") for name, indices in splits.items() if len(indices) == 0]
    if empty:
        raise DataError(empty)
    if groups is not None:
        _look_at_groups(source, splits, config, groups)
    if isinstance(rule, InTime):
        _look_at_times(splits, rule)
    elif config.time is not None:
        message = f"{config.time!r} (dataset.time) is when an example is from, and no input of the network; "
        source.notes.append(f"{message}dataset.split_by=time cuts by it")
    return splits


def _rule(source: Source, config: Dataset, groups: Groups | None, copies: Copies | None) -> Rule:
    """How splits are cut."""
    together = config.duplicates == "group"
    if config.split_by == "group":
        if groups is None:
            message = "no column says what belongs together: set dataset.group.pattern (of paths of images) or "
            message += "dataset.group.column, or declare a column with role: group"
            raise DataError([ConfigIssue("dataset.split_by", message, "group")])
        what = f"groups ({groups.what!r})"
        if not together or copies is None:
            return InUnits(source, config, groups.codes, what)
        return InUnits(source, config, *_joined(source, config, duplicates.units_of(copies, groups), f"{what} and "))
    if config.split_by == "time":
        if (times := times_of(source, config)) is None:
            message = "no column says when an example is from: set dataset.time, or declare a column with role: time"
            raise DataError([ConfigIssue("dataset.split_by", message, "time")])
        return InTime(source, times)
    if together and copies is not None:
        return InUnits(source, config, *_joined(source, config, duplicates.units_of(copies, None)))
    return AtRandom(source, config)


def _joined(source: Source, config: Dataset, units: Indices, before: str = "") -> tuple[Indices, str]:
    """What stays together, and what it is of; how large that is is said, where it is a matter of looks."""
    if config.near_duplicates is None:
        return units, f"{before}sets of equal examples"
    what = f"{before}sets of equal or nearly equal examples (dataset.near_duplicates={config.near_duplicates})"
    sizes = np.bincount(units)
    if (sizes > 1).any():
        message = f"of {int(sizes[sizes > 1].sum()):,} examples {int((sizes > 1).sum()):,} set(s) stay together, the "
        message += f"largest of {int(sizes.max()):,}: {what}"
        source.notes.append(f"{message}; a smaller distance joins fewer")
    return units, what


def _cut_fold(source: Source, splits: dict[str, Indices], config: Dataset, rule: Rule) -> None:
    """Have one of the folds test."""
    assert config.folds is not None
    if config.fold >= config.folds:
        message = f"expected 0 to {config.folds - 1}, as dataset.folds={config.folds}"
        raise DataError([ConfigIssue("dataset.fold", message, config.fold)])
    if "test" in splits:
        message = "the data bring a test split; folds are cut where they have none: leave it at null"
        raise DataError([ConfigIssue("dataset.folds", message, config.folds)])
    splits["train"], splits["test"] = rule.fold(splits["train"], config.folds, config.fold)
    _refuse_untrained(source, splits, config, rule)


def _refuse_untrained(source: Source, splits: Mapping[str, Indices], config: Dataset, rule: Rule) -> None:
    """A fold that takes all there is of something leaves none of it to train."""
    assert config.folds is not None
    problems, remedy = [], rule.remedy(config.folds, config.fold)
    for column in source.columns:
        if not isinstance(column, Label) or column.role != "target":
            continue
        codes = np.asarray(source.rows[column.name])
        for code in np.setdiff1d(codes[splits["test"]], codes[splits["train"]]).tolist():
            tested, there = (int((codes[some] == code).sum()) for some in (splits["test"], slice(None)))
            message = f"fold {config.fold} tests {tested} of {there} example(s) of {column.shown(code)!r}, and none is "
            message += f"left to train: {remedy}"
            problems.append(ConfigIssue("dataset.folds", message, config.folds))
    if problems:
        raise DataError(problems[:_SHOWN])


def _look_at_groups(source: Source, splits: Mapping[str, Indices], config: Dataset, groups: Groups) -> None:
    """Refuse given splits that share a group, or say how many groups lie in several splits."""
    own = [groups.codes[indices] for indices in splits.values()]
    there = np.stack([np.bincount(codes[codes >= 0], minlength=len(groups.names)) > 0 for codes in own])
    shared = np.flatnonzero(there.sum(0) > 1).tolist()
    known = int(there.any(0).sum())
    if not shared:
        return
    if config.split_by == "group":
        names = ", ".join(repr(groups.names[i]) for i in shared[:_SHOWN])
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        message = (
            f"the splits that the data bring share {len(shared)} of {known} groups ({groups.what!r}): {names}{more}"
        )
        raise DataError([ConfigIssue("dataset.group", f"{message}; give splits that share none, or leave them out")])
    otherwise = "" if config.split_by == "time" else ": dataset.split_by=group keeps them apart"
    source.notes.append(f"{len(shared):,} of {known:,} groups ({groups.what!r}) lie in more than one split{otherwise}")


def _look_at_times(splits: Mapping[str, Indices], rule: InTime) -> None:
    """Given splits follow each other in time as well."""
    names = [name for name in ("train", "val", "test") if name in splits]
    for before, after in itertools.pairwise(names):
        late = rule.times[splits[before]] > rule.times[splits[after]].min()
        if late.any():
            message = f"{int(late.sum()):,} examples of {before} are later than the first of {after}; the data bring "
            message += "splits that do not follow each other in time: dataset.split_by=random takes them as they are"
            raise DataError([ConfigIssue("dataset.split_by", message, "time")])


def take_shots(source: Source, splits: dict[str, Indices], config: Dataset, seed: int) -> dict[str, Indices]:
    """The first k of a permutation within each stratum of train, so k=1 lies in k=5 at one seed.

    With ``validation=within`` the last of the k validate, in place of the split that is there for it.
    """
    if config.shots is None:
        return splits
    drawn = _shots(source, splits["train"], config, seed)
    if config.validation == "extra":
        return {**splits, "train": np.sort(np.concatenate(drawn))}
    count = max(1, round(config.val * config.shots))
    if count >= config.shots:
        message = f"of {config.shots} example(s) of a class none is left to train where one validates; "
        raise DataError([ConfigIssue("dataset.validation", f"{message}dataset.shots=2 is the least", "within")])
    parts = {"train": [one[:-count] for one in drawn], "val": [one[-count:] for one in drawn]}
    return {**splits, **{name: np.sort(np.concatenate(part)) for name, part in parts.items()}}


def _shots(source: Source, pool: Indices, config: Dataset, seed: int) -> list[Indices]:
    """Of each stratum the first k, in the order in which they were drawn."""
    shots, strata = config.shots, source.strata
    assert shots is not None
    if strata is None:
        kinds = ", ".join(f"{column.name!r} ({column.kind})" for column in source.columns if column.role == "target")
        message = f"shots need one label per example, found {kinds or 'no target'}; set dataset.shots=null"
        raise DataError([ConfigIssue("dataset.shots", message, shots)])
    rng = np.random.default_rng(config.shots_seed if config.shots_seed is not None else seed)
    taken, problems = [], []
    codes = strata.codes[pool]
    grouped = pool[np.argsort(codes, kind="stable")]  # once, as there may be as many strata as examples
    counts = np.bincount(codes, minlength=len(strata.names))
    ends = np.cumsum(counts)
    for code, name in enumerate(strata.names):
        mine = grouped[ends[code - 1] if code else 0 : ends[code]]
        if len(mine) < shots:
            least = int(counts.min())
            more = f"; every {strata.what} has {least}: dataset.shots={least}" if least else ""
            message = f"{strata.what} {name!r} has {len(mine)} training examples{more}"
            problems.append(ConfigIssue("dataset.shots", message, shots))
        taken.append(rng.permutation(mine)[:shots])
    if problems:
        raise DataError(problems)
    return taken
