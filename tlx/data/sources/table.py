"""Texts, or image paths, and labels in a file of rows."""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlx.config.dataset import Table
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.decoding import channels_of
from tlx.data.fingerprint import of_files
from tlx.data.source import RowLocation, Source, index_classes
from tlx.data.sources import rows as reading
from tlx.data.sources.rows import ITEMS, word
from tlx.files import regular

_SHOWN = 100  # problems listed; the rest are counted


@dataclass
class _Places:
    """The file and the row of each example; what is kept is a number."""

    files: list[Path] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # the first example of each file
    lines: list[int] = field(default_factory=list)

    def __getitem__(self, i: int) -> RowLocation:
        return RowLocation(self.files[bisect_right(self.starts, i) - 1], self.lines[i])


def fingerprint(config: Table) -> str:
    """Of the files of rows, and of the images that they list."""
    named = files_of(config)
    listed = _listed(config, named) if config.modality == "image" else {}
    place = "|".join(os.path.realpath(path) for path in named.values())
    return of_files(place, ((name, os.path.abspath(path), path) for name, path in {**named, **listed}.items()))


def _listed(config: Table, files: dict[str, Path]) -> dict[str, Path]:
    """The images of a table, by where the table says they are."""
    found = {}
    for role, file in files.items():
        for value in reading.read(file, "", _columns(config), config.limits).cells[config.input]:
            path = file.parent / str(value)
            try:
                regular.look(path)
            except (OSError, ValueError):  # not there, or no name of a file: the pre-flight says so
                continue
            found[f"{role}/{value}"] = path
    return found


def _columns(config: Table) -> dict[str, str]:
    """The columns of a table, and the option that names each."""
    return {config.input: "dataset.input", config.label: "dataset.label"}


def load(config: Table) -> Source:
    """The rows of the files named by the configuration.

    With ``on_bad=skip`` bad rows are left out and counted in the source's notes.

    Raises:
        DataError: It names the bad rows, or why a file cannot be read.
    """
    inputs: list[str] = []
    labels: list[str] = []
    places = _Places()
    splits: dict[str, np.ndarray] = {}
    problems: list[ConfigIssue] = []
    fatal: list[ConfigIssue] = []
    names: dict[str, str] = {}  # a class is one object, however many rows it has
    for split, file in files_of(config).items():
        key = "dataset.file" if split == "train" else f"dataset.{split}_file"
        found = reading.read(file, key, _columns(config), config.limits)
        for problem in found.problems:
            (problems if problem.key.startswith(f"{file}:") else fatal).append(problem)
        start = len(inputs)
        places.files.append(file)
        places.starts.append(start)
        for value, cell, line in zip(found.cells[config.input], found.cells[config.label], found.lines, strict=True):
            label = word(cell)
            fault = _fault(value, label, config)
            if fault:
                problems.append(ConfigIssue(str(RowLocation(file, line)), fault))
                continue
            inputs.append(str(file.parent / str(value)) if config.modality == "image" else str(value))
            labels.append(names.setdefault(str(label), str(label)))
            places.lines.append(line)
        splits[split] = np.arange(start, len(inputs))
    if fatal or (problems and config.on_bad == "error"):
        more = [ConfigIssue("...", f"and {len(problems) - _SHOWN:,} more rows")] if len(problems) > _SHOWN else []
        raise DataError([*fatal, *problems[:_SHOWN], *more])
    source = _assemble(config, inputs, labels, places, splits)
    source.notes += (
        [f"{len(problems)} rows skipped, first: {problems[0].key} {problems[0].message}"] if problems else []
    )
    return source


def files_of(config: Table) -> dict[str, Path]:
    """The files of a table by their split; raises :class:`DataError` for a home folder that nobody has."""
    named = {"train": config.file, "val": config.val_file, "test": config.test_file}
    found = {}
    for split, name in named.items():
        if name is None:
            continue
        try:
            found[split] = Path(name).expanduser()
        except RuntimeError as error:
            key = "dataset.file" if split == "train" else f"dataset.{split}_file"
            raise DataError([ConfigIssue(key, str(error), name)]) from error
    return found


def _fault(value: object, label: str | None, config: Table) -> str:
    if value is None or not str(value).strip():
        return f"empty {config.input!r}"
    if label is None or not label.strip():
        return f"no label in {config.label!r}"
    return ""


def _assemble(
    config: Table, inputs: list[str], labels: list[str], places: _Places, splits: dict[str, np.ndarray]
) -> Source:
    given = dict(splits) if len(splits) > 1 else {}
    if config.label_separator:
        encoded, classes, first = _several(labels, splits["train"], config.label_separator)
    else:
        encoded, classes, unknown_classes = index_classes(labels, splits["train"])
        first = {labels[i]: i for i in reversed(unknown_classes)}
    if first:
        raise DataError([ConfigIssue(str(places[i]), f"class {name!r} is not in train") for name, i in first.items()])
    return Source(
        modality=config.modality,
        inputs=inputs,
        labels=encoded,
        classes=classes,
        splits=given,
        channels=channels_of(inputs, config.limits) if config.modality == "image" and inputs else 0,
        origin=lambda i: str(places[i]),
    )


def _several(labels: list[str], train: np.ndarray, separator: str) -> tuple[np.ndarray, list[str], dict[str, int]]:
    """0/1 per class, the classes of train, and each class that train lacks with the row it is first seen in."""
    sets = [_items(label, separator) for label in labels]
    classes = sorted(set().union(*(sets[i] for i in train)))
    index = {name: i for i, name in enumerate(classes)}
    encoded = np.zeros((len(labels), len(classes)), dtype=np.float32)
    unknown_classes: dict[str, int] = {}
    for row, names in enumerate(sets):
        for name in sorted(names):
            if name in index:
                encoded[row, index[name]] = 1.0
            else:
                unknown_classes.setdefault(name, row)
    return encoded, classes, unknown_classes


def _items(label: str, separator: str) -> set[str]:
    words = label.removeprefix(ITEMS).split(ITEMS) if label.startswith(ITEMS) else label.split(separator)
    return {word.strip() for word in words if word.strip()}
