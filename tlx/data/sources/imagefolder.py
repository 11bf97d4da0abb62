"""Images in folders named after their classes, with or without folders for the splits above them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tlx.columns import Image, Label
from tlx.columns.decoding import SUFFIXES
from tlx.config.dataset import ImageFolder
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.fingerprint import of_files
from tlx.data.source import Source
from tlx.data.sources import tree
from tlx.files.regular import reason

SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def fingerprint(config: ImageFolder) -> str:
    """Of every file below ``root``, by its name there."""
    root = str(root_of(config))
    return of_files(os.path.realpath(root), _below(root))


def _below(root: str) -> Iterator[tuple[str, str, str]]:
    try:
        for name, _ in tree.Tree(root).files():
            yield name, name, os.path.join(root, name)
    except OSError as error:
        message = f"cannot be looked into: {reason(error)}"
        raise DataError([ConfigIssue("dataset.root", message, error.filename)]) from error


def load(config: ImageFolder) -> Source:
    """Every image below ``root``, in path order.

    Raises:
        DataError: Classes do not fit together, or a folder cannot be read.
    """
    root = root_of(config)
    try:
        return _load(config, root)
    except OSError as error:
        message = f"cannot be looked into: {reason(error)}"
        raise DataError([ConfigIssue("dataset.root", message, error.filename or config.root)]) from error


def root_of(config: ImageFolder) -> Path:
    """The folder of the images; raises :class:`DataError` where it is none."""
    try:
        root = Path(config.root).expanduser()
        found = root.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a ~user whom nobody knows
        raise DataError([ConfigIssue("dataset.root", f"not a folder: {error}", config.root)]) from error
    if not found:
        raise DataError([ConfigIssue("dataset.root", "not a folder", config.root)])
    return root


def _load(config: ImageFolder, root: Path) -> Source:
    folders = split_folders(root)
    paths: list[str] = []
    names: list[str] = []
    splits: dict[str, np.ndarray] = {}
    notes = [note for folder in dict.fromkeys([root, *folders.values()]) for note in _loose(folder)]
    empty: list[str] = []
    for split, folder in (folders or {"": root}).items():
        start = len(paths)
        for child in _class_folders(folder):
            before = len(paths)
            notes += _images(folder / child, paths)
            if len(paths) == before:
                empty.append(str(folder / child))
            names += [child] * (len(paths) - before)
        if split:
            splits[split] = np.arange(start, len(paths))
    problems = [ConfigIssue("dataset.root", "an empty class: no image inside", folder) for folder in empty]
    if not paths:
        expected = "<root>/<class>/*.png or <root>/train/<class>/*.png"
        problems = [ConfigIssue("dataset.root", f"no images found; expected {expected}", config.root)]
    if problems:
        raise DataError(problems)
    return Source(
        columns=[Image("image"), Label("label")],
        rows={"image": paths, "label": names},
        splits=splits,
        origin=lambda i: paths[i],
        notes=notes,
    )


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of the splits, when ``root`` holds them; empty when it holds the classes themselves."""
    with os.scandir(root) as entries:
        folders = {name.lower(): root / name for name in sorted(e.name for e in entries if tree.leads_to_folder(e))}
    found = {}
    for split, words in SPLITS.items():
        there = [folders[word] for word in words if word in folders]
        if there:
            found[split] = there[0]
    return found if "train" in found else {}


def _class_folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if tree.leads_to_folder(e) and not e.name.startswith("."))


def _loose(folder: Path) -> list[str]:
    """A note on images beside the classes, if there are any."""
    with os.scandir(folder) as entries:
        loose = [entry.name for entry in entries if _is_image(entry.name) and tree.is_file(entry)]
    return [f"{folder}: {len(loose)} images lie outside every class, first {min(loose)}"] if loose else []


def _images(folder: Path, paths: list[str]) -> list[str]:
    """Append the images below a class's folder; returns notes on what else is there."""
    found, others = tree.Tree(str(folder)), 0
    above = "" if str(folder) == "." else os.path.join(folder, "")
    for name, entry in found.files():
        if _is_image(entry.name):
            paths.append(above + name)
        else:
            others += 1
    notes = [f"{folder}: {others} files are not images"] if others else []
    if found.special:
        first = found.special[0]
        what = f"first {first}, {tree.kind(above + first)}"
        notes.append(f"{folder}: {len(found.special)} names were left out as no file is behind them, {what}")
    if found.closed:
        notes.append(f"{folder}: {len(found.closed)} folders may not be looked into, first {found.closed[0]}")
    return notes


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES
