"""A finished trial's model measured on other data, or on another split: the task's metrics, and its predictions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlx.columns.reading import Indices
from tlx.columns.schema import Schema
from tlx.config.augmentation import views_said
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import splits, validation
from tlx.data.examples import Examples, too_large
from tlx.data.order import borders
from tlx.data.source import Source
from tlx.prediction.arithmetic import arithmetic
from tlx.prediction.machine import as_tested
from tlx.prediction.matched import Matched, matched
from tlx.prediction.model import Model
from tlx.tasks.load import load as load_task
from tlx.tasks.views import averaged
from tlx.training import per_class
from tlx.training.precision import floats
from tlx.training.predictions import predictions

_SHOWN = 10  # classes that are named


@dataclass(frozen=True)
class Measured:
    """What was found out about a model on a split.

    Args:
        metrics: By name.
        examples: How many were measured.
        skipped: How many could not be read, and were left out as ``dataset.on_bad=skip`` says.
        unknown: Examples of each class that the model does not know.
        left_out: Examples of such classes, which were not measured.
        notes: What a person should know.
    """

    metrics: dict[str, float | None]
    examples: int
    skipped: int
    unknown: dict[str, int]
    left_out: int
    notes: list[str]


@dataclass
class Chosen:
    """The examples of a split, matched with the model's columns."""

    found: Matched
    indices: Indices
    skipped: int
    notes: list[str]


def choose(model: Model, source: Source, config: Dataset, split: str, fingerprint: str) -> Chosen:
    """Match data with the model, and choose a split.

    Args:
        model: A trained one.
        source: The data, as their kind loads them.
        config: Of the data.
        split: One of :data:`tlx.prediction.evaluation.SPLITS`; those that the data have not are cut as the
            configuration says.
        fingerprint: Of the data.

    Raises:
        DataError: They do not fit the model, cannot be read, or nothing is left of the split.
    """
    found = matched(source, model.schema, config.limits)
    source = found.source
    indices = _split(found, config, split, model.trial.seed)
    bad = validation.problems(source, indices, config, fingerprint)
    large, mine = too_large(source, model.specs, config.limits), set(indices.tolist())
    bad |= {i: why for i, why in large.items() if i in mine}
    if bad and config.on_bad == "error":
        raise validation.refusal(source, dict(sorted(bad.items())))
    sound = indices[~np.isin(indices, np.fromiter(bad, dtype=np.int64, count=len(bad)))]
    notes = list(source.notes)
    if bad:
        notes.append(f"{len(bad):,} unreadable examples left out, first {source.origin(min(bad))}: {bad[min(bad)]}")
    if found.unknown:
        shown = ", ".join(f"{name!r} ({count:,})" for name, count in list(found.unknown.items())[:_SHOWN])
        more = f" and {len(found.unknown) - _SHOWN} more" if len(found.unknown) > _SHOWN else ""
        what = f"their {len(found.left_out):,} examples are left out" if found.left_out else "they are not measured"
        notes.append(f"classes that the model does not know: {shown}{more}; {what}")
    if not len(sound):
        raise DataError([ConfigIssue(f"dataset ({split})", note) for note in [*notes, "no examples are left"]])
    for column in source.columns:
        seen = source.seen.get(column.name, {})
        known = {i: seen[i] for i in sound.tolist() if i in seen}
        notes += column.notes_of_others(source.rows[column.name], {split: sound}, known)
    return Chosen(found, sound, len(bad), notes)


def measure(model: Model, chosen: Chosen, config: Dataset, file: Path) -> Measured:
    """Measure the model on a split, in the batches and with the arithmetic of a trial's own test.

    Args:
        model: A trained one.
        chosen: The examples.
        config: Of the data.
        file: Where the predictions go, a line for each example; what they say of each class goes beside it.
    """
    source = chosen.found.source
    examples = Examples(source, chosen.indices, model.specs, limits=config.limits)
    task = load_task(model.trial.task, Schema(tuple(source.columns), model.schema.counts))
    metrics = task.metrics().to(model.device)
    if floats(model.trial.hardware.precision) != floats("32-true"):
        metrics.double()
    network = averaged(model.network, task, config.test_augment)
    cuts = borders(len(chosen.indices), config.eval_batch_size, 1)
    with as_tested(model.trial, model.device), predictions(file, source.described) as written:
        for start, stop in itertools.pairwise(cuts):
            batch = model.placed(examples.__getitems__([(0, at) for at in range(start, stop)]))
            with arithmetic(model.trial.hardware.precision, model.device):
                out = task.eval_step(network, batch, metrics)
                written.add(task.predict(network, batch, out))
        values = task.compute(metrics)
    per_class.write(file.parent, task, examples.targets)
    unknown, left_out = chosen.found.unknown, len(chosen.found.left_out)
    notes = [*chosen.notes, *([views_said(config.test_augment)] if config.test_augment else [])]
    return Measured(values, len(chosen.indices), chosen.skipped, unknown, left_out, notes)


def _split(found: Matched, config: Dataset, split: str, seed: int) -> Indices:
    """The examples of a split, without those whose class the model does not know."""
    source = found.source
    known = np.setdiff1d(np.arange(len(source)), np.fromiter(found.left_out, dtype=np.int64, count=len(found.left_out)))
    if split == "all":
        return known
    given: Mapping[str, Indices] = source.splits or {"train": np.arange(len(source))}
    source.splits = {name: rows[np.isin(rows, known)] for name, rows in given.items()}
    of_shots = split == "train" or (split == "val" and config.validation == "within")
    if split in source.splits and not of_shots:  # nothing else has to be there
        return source.splits[split]
    cut = splits.cut(source, config)
    if split not in cut:
        message = f"{splits.NO_TEST}; measure another split, as in --split val, or set dataset.test"
        raise DataError([ConfigIssue(f"dataset ({split})", message)])
    return (splits.take_shots(source, cut, config, seed) if of_shots else cut)[split]
