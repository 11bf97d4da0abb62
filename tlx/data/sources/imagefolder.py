"""Images in folders named after their classes, with or without folders for the splits above them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlx.columns import Category, Image, Label
from tlx.columns.formats import suffix_of
from tlx.config import band_files
from tlx.config.dataset import ImageFolder
from tlx.config.errors import ConfigIssue, DataError
from tlx.data import band_sets
from tlx.data.fingerprint import contents, of_files
from tlx.data.groups import GROUP, by_pattern
from tlx.data.source import Source
from tlx.data.sources import tree
from tlx.data.sources.layout import class_folders, layout_of
from tlx.files.regular import reason

_SUFFIXES = 3  # in a message


@dataclass
class _Listing:
    """The images that are read, in the loader's order, and what is to be said of the others.

    Attributes:
        paths: Of the images.
        names: Below the root, parts joined by ``/``.
        labels: The class of each.
        ends: Split -> how many images there are with it and the splits before it; empty where there are no splits.
        notes: On files that are left out.
        hidden: Files and folders that were skipped, below the root.
        deep: The first folder of images below each class that has some.
        unread: Files that are no images.
    """

    paths: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)


def fingerprint(config: ImageFolder) -> str:
    """Of every image that :func:`load` reads, by its name below ``root``; of nothing else that lies there."""
    found = _listed(config)
    files = sorted(_files(found, config), key=lambda file: file[0].split("/"))
    return of_files(os.path.realpath(root_of(config)), files)


def load(config: ImageFolder) -> Source:
    """Every image below ``root``, in path order.

    Raises:
        DataError: Classes do not fit together, or a folder cannot be read.
    """
    found = _listed(config)
    starts = [0, *found.ends.values()]
    splits = {split: np.arange(start, end) for (split, end), start in zip(found.ends.items(), starts, strict=False)}
    pattern = config.band_files or ""
    columns, rows = [Image("image", band_files=pattern), Label("label")], {"image": found.paths, "label": found.labels}
    if config.group.pattern is not None:
        columns.append(Category(GROUP, role="group"))
        rows[GROUP] = by_pattern(config.group.pattern, found.names)
    place = os.path.realpath(root_of(config))
    return Source(
        columns=columns,
        rows=rows,
        splits=splits,
        origin=lambda i: found.paths[i],
        notes=found.notes,
        contents={"image": lambda: _contents(place, found, config)},
    )


def _files(found: _Listing, config: ImageFolder) -> Iterable[tuple[str, str, str]]:
    """The files of the images as :func:`~tlx.data.fingerprint.of_files` takes them."""
    images: Iterable[tuple[str, str]] = zip(found.names, found.paths, strict=True)
    if config.band_files is not None:
        images = band_sets.files(images, band_files.parsed(config.band_files))
    return ((name, name, path) for name, path in images)


def _contents(place: str, found: _Listing, config: ImageFolder) -> list[str]:
    """A hash for the content of each image."""
    if config.band_files is None:
        return contents(place, _files(found, config))
    images = zip(found.names, found.paths, strict=True)
    return band_sets.hashes(place, images, band_files.parsed(config.band_files))


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
        found, empty = _walked(root, config)
    except OSError as error:
        message = f"cannot be looked into: {reason(error)}"
        raise DataError([ConfigIssue("dataset.root", message, error.filename or config.root)]) from error
    problems = [ConfigIssue("dataset.root", f"{what}: no image inside", folder) for folder, what in empty.items()]
    if not found.paths:
        name = config.band_files or "*.png"
        expected = f"<root>/<class>/{name} or <root>/train/<class>/{name}"
        unread = f" ({_suffixes(found.unread)} are not read)" if found.unread else ""
        problems = [ConfigIssue("dataset.root", f"no images found{unread}; expected {expected}", config.root)]
    if problems:
        raise DataError(problems)
    if found.deep:
        count = f"{len(found.deep):,} class{'' if len(found.deep) == 1 else 'es'}"
        message = f"folders below {count} count for the class above them, first {found.deep[0]}"
        found.notes.append(f"{root}: {message}; dataset.nested=true makes classes of them")
    if found.hidden:
        found.notes.append(
            f"{root}: {len(found.hidden):,} hidden files and folders were skipped, first {found.hidden[0]}"
        )
    return found


def _walked(root: Path, config: ImageFolder) -> tuple[_Listing, dict[str, str]]:
    """What is below ``root``, and the folders without an image, each with what it was to be."""
    layout = layout_of(root, config.folders)
    found, empty = _Listing(notes=list(layout.notes)), dict[str, str]()
    for folder in dict.fromkeys([root, *layout.splits.values()]):
        _look_beside_classes(found, folder, "" if folder == root else f"{folder.name}/")
    for split, folder in (layout.splits or {"": root}).items():
        above = f"{folder.name}/" if split else ""
        children = class_folders(folder)
        for child in children:
            _add_class(found, empty, folder / child, above, child, config)
        if split:
            found.ends[split] = len(found.paths)
            if not children:
                empty[str(folder)] = "an empty split"
    return found, empty


def _look_beside_classes(listing: _Listing, folder: Path, above: str) -> None:
    """Count what is hidden in a folder of classes, and the images beside these."""
    with os.scandir(folder) as entries:
        there = sorted(entries, key=lambda entry: entry.name)
    listing.hidden += [f"{above}{entry.name}" for entry in there if tree.is_hidden(entry.name)]
    files = [one.name for one in there if not tree.is_hidden(one.name) and tree.is_file(one)]
    loose = [name for name in files if _is_image(name)]
    listing.unread += [name for name in files if not _is_image(name)]
    if loose:
        listing.notes.append(f"{folder}: {len(loose)} images lie outside every class, first {loose[0]}")


def _add_class(
    listing: _Listing, empty: dict[str, str], folder: Path, above: str, name: str, config: ImageFolder
) -> None:
    """Append the images below a class's folder, named by what is ``above`` it, and notes on what else is there."""
    found, nested = tree.Tree(str(folder)), config.nested
    place = "" if str(folder) == "." else os.path.join(folder, "")
    holding = dict.fromkeys([""], 0)  # images by the folder that holds them
    images, others, parts = _images(found, config)
    listing.unread += others
    for inner in images:
        own = inner.rpartition("/")[0]
        holding[own] = holding.get(own, 0) + 1
        listing.paths.append(place + inner)
        listing.names.append(f"{above}{name}/{inner}")
        listing.labels.append(f"{name}/{own}" if nested and own else name)
    deep = [own for own, count in holding.items() if own and count]
    if not any(holding.values()):
        empty[str(folder)] = f"an empty class, with {_suffixes(others)}" if others else "an empty class"
    elif nested:
        full = {"/".join(own.split("/")[:depth]) for own in {*deep, *parts} for depth in range(1, own.count("/") + 2)}
        empty.update({place + own: "an empty class" for own in found.folders if own not in full})
    elif deep:
        listing.deep.append(f"{above}{name}/{deep[0]}")
    listing.hidden += [f"{above}{name}/{inner}" for inner in found.hidden]
    if others:
        what = (
            f"not images ({_suffixes(others)})"
            if config.band_files is None
            else f"of no band of {config.band_files}, first {others[0]}"
        )
        listing.notes.append(f"{folder}: {len(others)} files are {what}")
    if found.special:
        first = found.special[0]
        what = f"first {first}, {tree.kind(place + first)}"
        listing.notes.append(f"{folder}: {len(found.special)} names were left out as no file is behind them, {what}")
    if found.closed:
        listing.notes.append(f"{folder}: {len(found.closed)} folders may not be looked into, first {found.closed[0]}")
    if found.links:
        listing.notes.append(f"{folder}: {len(found.links)} links to folders are not followed, first {found.links[0]}")


def _images(found: tree.Tree, config: ImageFolder) -> tuple[list[str], list[str], set[str]]:
    """The images below a folder, the files that are none, and the folders of the files of images, in their order."""
    if config.band_files is None:
        images, others = list[str](), list[str]()
        for inner, entry in found.files():
            (images if _is_image(entry.name) else others).append(inner)
        return images, others, set()
    sets, others = band_sets.grouped((inner for inner, _ in found.files()), band_files.parsed(config.band_files))
    return list(sets), others, {file.rpartition("/")[0] for files in sets.values() for file in files} - {""}


def _suffixes(names: Sequence[str]) -> str:
    """The suffixes that most files have which are not read."""
    counts = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in names)
    counted = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = [f"{suffix} x {count:,}" for suffix, count in counted[:_SUFFIXES]]
    return ", ".join([*shown, f"{len(counted) - _SUFFIXES} more suffixes"] if len(counted) > _SUFFIXES else shown)


def _is_image(name: str) -> bool:
    return bool(suffix_of(name))
