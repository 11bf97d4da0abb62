"""Images in folders named after their classes, with or without folders for the splits above them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlx.config.errors import DataError, Problem
from tlx.data.images import SUFFIXES, channels_of
from tlx.data.options import ImageFolder
from tlx.data.source import Source, index_classes

SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def load(config: ImageFolder) -> Source:
    """Every image below ``root``, in path order; raises :class:`DataError` for classes that do not fit together."""
    root = Path(config.root).expanduser()
    if not root.is_dir():
        raise DataError([Problem("dataset.root", "not a folder", config.root)])
    folders = split_folders(root)
    paths: list[Path] = []
    names: list[str] = []
    splits: dict[str, np.ndarray] = {}
    notes: list[str] = []
    empty: list[str] = []
    for folder in {root, *folders.values()}:
        loose = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES)
        if loose:
            notes.append(f"{folder}: {len(loose)} images lie outside every class, first {loose[0].name}")
    for split, folder in (folders or {"": root}).items():
        start = len(paths)
        for child in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
            files = sorted(p for p in child.rglob("*") if p.is_file())
            images = [p for p in files if p.suffix.lower() in SUFFIXES]
            if len(images) < len(files):
                notes.append(f"{child}: {len(files) - len(images)} files are not images")
            if not images:
                empty.append(str(child))
            paths += images
            names += [child.name] * len(images)
        if split:
            splits[split] = np.arange(start, len(paths))
    problems = [Problem("dataset.root", "an empty class: no image inside", folder) for folder in empty]
    if not paths:
        expected = "<root>/<class>/*.png or <root>/train/<class>/*.png"
        problems = [Problem("dataset.root", f"no images found; expected {expected}", config.root)]
    train = splits.get("train", np.arange(len(paths)))
    labels, classes, strangers = index_classes(names, train)
    for name in sorted({names[i] for i in strangers}):
        first = paths[next(i for i in strangers if names[i] == name)]
        problems.append(Problem("dataset.root", f"class {name!r} is not in train (first seen: {first})"))
    if problems:
        raise DataError(problems)
    return Source(
        modality="image",
        inputs=paths,
        labels=labels,
        classes=classes,
        splits=splits,
        channels=channels_of(paths),
        origin=lambda i: str(paths[i]),
        notes=notes,
    )


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of the splits, when ``root`` holds them; empty when it holds the classes themselves."""
    folders = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    found = {}
    for split, words in SPLITS.items():
        there = [folders[word] for word in words if word in folders]
        if there:
            found[split] = there[0]
    return found if "train" in found else {}
