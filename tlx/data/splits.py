"""Which examples train, which choose, which test: given, stratified, or k shots of each stratum."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from tlx.columns.reading import Indices
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.source import Source
from tlx.data.stratify import train_test_split


def hashed(indices: Indices) -> str:
    """The number of examples of a split, and a hash of which and in what order."""
    return f"{len(indices)} {sha256(indices.astype('<i8').tobytes()).hexdigest()[:16]}"


def assign(source: Source, config: Dataset, seed: int) -> dict[str, Indices]:
    """Indices of ``train`` (its shots, where asked for), ``val`` and ``test``; raises :class:`DataError`."""
    return take_shots(source, cut(source, config), config, seed)


def cut(source: Source, config: Dataset) -> dict[str, Indices]:
    """Splits the source brings are kept; missing ones are cut from train by share, stratified by the target."""
    splits = dict(source.splits) or {"train": np.arange(len(source))}
    for name, share in (("test", config.test), ("val", config.val)):
        if name not in splits:
            splits["train"], splits[name] = _cut(source, splits["train"], share, config.split_seed, name)
    empty = [ConfigIssue(f"dataset ({name})", "no examples") for name, indices in splits.items() if len(indices) == 0]
    if empty:
        raise DataError(empty)
    return splits


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


def _cut(source: Source, pool: Indices, share: float, seed: int, name: str) -> tuple[Indices, Indices]:
    strata = source.strata
    codes = None if strata is None else strata.codes[pool]
    try:
        rest, taken = train_test_split(pool, test_size=share, labels=codes, seed=seed)
    except ValueError as error:
        raise DataError([_too_few(source, pool, share, name, error)]) from None
    return np.sort(rest), np.sort(taken)


def _too_few(source: Source, pool: Indices, share: float, name: str, error: ValueError) -> ConfigIssue:
    strata = source.strata
    if strata is not None and len(pool):
        counts = np.bincount(strata.codes[pool], minlength=len(strata.names))
        rare = int(counts.argmin())
        if counts[rare] < 2:
            who = f"{strata.what} {strata.names[rare]!r}"
            message = f"{who} has {counts[rare]} example(s): too few to give one to {name}{strata.hint}"
            return ConfigIssue(f"dataset.{name}", message, share)
    return ConfigIssue(f"dataset.{name}", f"cannot be cut from {len(pool)} examples: {error}", share)


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
