"""Texts, or image paths, and labels in a file of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlx.config.errors import DataError, Problem
from tlx.data import rows as reading
from tlx.data.images import channels_of
from tlx.data.options import Table
from tlx.data.rows import ITEMS
from tlx.data.source import Place, Source, index_classes


def load(config: Table) -> Source:
    """The rows of the files named by the configuration; raises :class:`DataError` naming every bad row.

    With ``on_bad=skip`` bad rows are left out and counted in the source's notes.
    """
    files = {"train": config.file, "val": config.val_file, "test": config.test_file}
    inputs: list[str | Path] = []
    labels: list[str] = []
    places: list[Place] = []
    splits: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    fatal: list[Problem] = []
    for split, name in files.items():
        if name is None:
            continue
        key = "dataset.file" if split == "train" else f"dataset.{split}_file"
        file = Path(name).expanduser()
        found = reading.read(file, key, config.input, config.label)
        rowwise = [p for p in found.problems if p.key.startswith(f"{file}:")]
        problems += rowwise
        fatal += [p for p in found.problems if p not in rowwise]
        start = len(inputs)
        for value, label, line in zip(found.inputs, found.labels, found.lines, strict=True):
            place = Place(file, line)
            fault = _fault(value, label, config)
            if fault:
                problems.append(Problem(str(place), fault))
                continue
            inputs.append(file.parent / str(value) if config.modality == "image" else str(value))
            labels.append(str(label))
            places.append(place)
        splits[split] = np.arange(start, len(inputs))
    if fatal or (problems and config.on_bad == "error"):
        raise DataError([*fatal, *problems])
    source = _assemble(config, inputs, labels, places, splits)
    source.notes += (
        [f"{len(problems)} rows skipped, first: {problems[0].key} {problems[0].message}"] if problems else []
    )
    return source


def _fault(value: object, label: str | None, config: Table) -> str:
    if value is None or not str(value).strip():
        return f"empty {config.input!r}"
    if label is None or not label.strip():
        return f"no label in {config.label!r}"
    return ""


def _assemble(
    config: Table, inputs: list[str | Path], labels: list[str], places: list[Place], splits: dict[str, np.ndarray]
) -> Source:
    given = dict(splits) if len(splits) > 1 else {}
    if config.label_separator:
        encoded, classes, first = _several(labels, splits["train"], config.label_separator)
    else:
        encoded, classes, strangers = index_classes(labels, splits["train"])
        first = {labels[i]: i for i in reversed(strangers)}
    if first:
        raise DataError([Problem(str(places[i]), f"class {name!r} is not in train") for name, i in first.items()])
    paths = [Path(p) for p in inputs] if config.modality == "image" else []
    return Source(
        modality=config.modality,
        inputs=inputs,
        labels=encoded,
        classes=classes,
        splits=given,
        channels=channels_of(paths) if paths else 0,
        origin=lambda i: str(places[i]),
    )


def _several(labels: list[str], train: np.ndarray, separator: str) -> tuple[np.ndarray, list[str], dict[str, int]]:
    """0/1 per class, the classes of train, and each class that train lacks with the row it is first seen in."""
    sets = [_items(label, separator) for label in labels]
    classes = sorted(set().union(*(sets[i] for i in train)))
    index = {name: i for i, name in enumerate(classes)}
    encoded = np.zeros((len(labels), len(classes)), dtype=np.float32)
    strangers: dict[str, int] = {}
    for row, names in enumerate(sets):
        for name in sorted(names):
            if name in index:
                encoded[row, index[name]] = 1.0
            else:
                strangers.setdefault(name, row)
    return encoded, classes, strangers


def _items(label: str, separator: str) -> set[str]:
    words = label.removeprefix(ITEMS).split(ITEMS) if label.startswith(ITEMS) else label.split(separator)
    return {word.strip() for word in words if word.strip()}
