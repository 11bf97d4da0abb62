"""Which examples train, which choose, which test: given, stratified, or k shots per class."""

from __future__ import annotations

import numpy as np

from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.source import Indices, Source
from tlx.data.stratify import train_test_split


def assign(source: Source, config: Dataset, seed: int) -> dict[str, Indices]:
    """Indices of ``train`` (its shots, where asked for), ``val`` and ``test``; raises :class:`DataError`."""
    return take_shots(source, cut(source, config), config, seed)


def cut(source: Source, config: Dataset) -> dict[str, Indices]:
    """Splits the source brings are kept; missing ones are cut from train by share, stratified by class."""
    splits = dict(source.splits) or {"train": np.arange(len(source.labels))}
    for name, share in (("test", config.test), ("val", config.val)):
        if name not in splits:
            splits["train"], splits[name] = _cut(source, splits["train"], share, config.split_seed, name)
    empty = [ConfigIssue(f"dataset ({name})", "no examples") for name, indices in splits.items() if len(indices) == 0]
    if empty:
        raise DataError(empty)
    return splits


def take_shots(source: Source, splits: dict[str, Indices], config: Dataset, seed: int) -> dict[str, Indices]:
    """The first k of a permutation within each class of train, so k=1 lies in k=5 at one seed."""
    if config.shots is None:
        return splits
    return {**splits, "train": _shots(source, splits["train"], config, seed)}


def _cut(source: Source, pool: Indices, share: float, seed: int, name: str) -> tuple[Indices, Indices]:
    labels = None if source.multilabel else source.labels[pool].astype(np.int64)
    try:
        rest, taken = train_test_split(pool, test_size=share, labels=labels, seed=seed)
    except ValueError as error:
        raise DataError([_too_few(source, pool, share, name, error)]) from None
    return np.sort(rest), np.sort(taken)


def _too_few(source: Source, pool: Indices, share: float, name: str, error: ValueError) -> ConfigIssue:
    if not source.multilabel and len(pool):
        counts = np.bincount(source.labels[pool].astype(int), minlength=len(source.classes))
        rare = int(counts.argmin())
        if counts[rare] < 2:
            message = f"class {source.classes[rare]!r} has {counts[rare]} example(s): too few to give one to {name}"
            return ConfigIssue(f"dataset.{name}", message, share)
    return ConfigIssue(f"dataset.{name}", f"cannot be cut from {len(pool)} examples: {error}", share)


def _shots(source: Source, pool: Indices, config: Dataset, seed: int) -> Indices:
    shots = config.shots
    assert shots is not None
    if source.multilabel:
        message = "shots need one label per example; drop dataset.label_separator or set dataset.shots=null"
        raise DataError([ConfigIssue("dataset.shots", message, shots)])
    rng = np.random.default_rng(config.shots_seed if config.shots_seed is not None else seed)
    taken, problems = [], []
    labels = source.labels[pool]
    grouped = pool[np.argsort(labels, kind="stable")]  # once, as there may be as many classes as examples
    ends = np.cumsum(np.bincount(labels, minlength=len(source.classes)))
    for label, name in enumerate(source.classes):
        mine = grouped[ends[label - 1] if label else 0 : ends[label]]
        if len(mine) < shots:
            least = int(np.bincount(labels, minlength=len(source.classes)).min())
            more = f"; all classes have {least}: dataset.shots={least}" if least else ""
            problems.append(
                ConfigIssue("dataset.shots", f"class {name!r} has {len(mine)} training examples{more}", shots)
            )
        taken.append(rng.permutation(mine)[:shots])
    if problems:
        raise DataError(problems)
    return np.sort(np.concatenate(taken))
