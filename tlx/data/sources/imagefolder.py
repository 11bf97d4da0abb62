"""Images in folders named after their classes, with or without folders for the splits above them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
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


@dataclass
class _Listing:
    """The images that are read, in the loader's order, and what is to be said of the others.

    Attributes:
        paths: Of the images.
        names: Below the root, parts joined by ``/``.
        labels: The class of each.
        ends: Split -> how many images there are with it and the splits before it; empty where there are no splits.
        notes: On files that are left out.
    """

    paths: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def fingerprint(config: ImageFolder) -> str:
    """Of every image that :func:`load` reads, by its name below ``root``; of nothing else that lies there."""
    found = _listed(config)
    pairs = sorted(zip(found.names, found.paths, strict=True), key=lambda pair: pair[0].split("/"))
    return of_files(os.path.realpath(root_of(config)), ((name, name, path) for name, path in pairs))


def load(config: ImageFolder) -> Source:
    """Every image below ``root``, in path order.

    Raises:
        DataError: Classes do not fit together, or a folder cannot be read.
    """
    found = _listed(config)
    starts = [0, *found.ends.values()]
    splits = {split: np.arange(start, end) for (split, end), start in zip(found.ends.items(), starts, strict=False)}
    return Source(
        columns=[Image("image"), Label("label")],
        rows={"image": found.paths, "label": found.labels},
        splits=splits,
        origin=lambda i: found.paths[i],
        notes=found.notes,
    )


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


def _listed(config: ImageFolder) -> _Listing:
    """The images below ``root``, or a :class:`DataError` that says why they are no data set."""
    root = root_of(config)
    try:
        found, empty = _walked(root)
    except OSError as error:
        message = f"cannot be looked into: {reason(error)}"
        raise DataError([ConfigIssue("dataset.root", message, error.filename or config.root)]) from error
    problems = [ConfigIssue("dataset.root", f"{what}: no image inside", folder) for folder, what in empty.items()]
    if not found.paths:
        expected = "<root>/<class>/*.png or <root>/train/<class>/*.png"
        problems = [ConfigIssue("dataset.root", f"no images found; expected {expected}", config.root)]
    if problems:
        raise DataError(problems)
    return found


def _walked(root: Path) -> tuple[_Listing, dict[str, str]]:
    """What is below ``root``, and the folders without an image, each with what it was to be."""
    folders = split_folders(root)
    notes = [note for folder in dict.fromkeys([root, *folders.values()]) for note in _loose(folder)]
    found, empty = _Listing(notes=notes), dict[str, str]()
    for split, folder in (folders or {"": root}).items():
        above = f"{folder.name}/" if split else ""
        children = _class_folders(folder)
        for child in children:
            before = len(found.paths)
            _add_images(found, folder / child, f"{above}{child}/")
            if len(found.paths) == before:
                empty[str(folder / child)] = "an empty class"
            found.labels += [child] * (len(found.paths) - before)
        if split:
            found.ends[split] = len(found.paths)
            if not children:
                empty[str(folder)] = "an empty split"
    return found, empty


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


def _add_images(listing: _Listing, folder: Path, above: str) -> None:
    """Append the images below a class's folder, named by what is ``above`` it, and notes on what else is there."""
    found, others = tree.Tree(str(folder)), 0
    place = "" if str(folder) == "." else os.path.join(folder, "")
    for name, entry in found.files():
        if _is_image(entry.name):
            listing.paths.append(place + name)
            listing.names.append(above + name)
        else:
            others += 1
    listing.notes += [f"{folder}: {others} files are not images"] if others else []
    if found.special:
        first = found.special[0]
        what = f"first {first}, {tree.kind(place + first)}"
        listing.notes.append(f"{folder}: {len(found.special)} names were left out as no file is behind them, {what}")
    if found.closed:
        listing.notes.append(f"{folder}: {len(found.closed)} folders may not be looked into, first {found.closed[0]}")


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES
