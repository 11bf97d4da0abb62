"""What the folders of an image folder are: its splits, or its classes; and what nobody means to be read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tlx.config.errors import ConfigIssue, DataError
from tlx.data.sources import tree

SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}
_SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words}
_SHOWN = 5  # folders that are named


@dataclass(frozen=True)
class Layout:
    """How a folder of images is laid out.

    Attributes:
        splits: The folder of each split; empty where the root holds the classes themselves.
        notes: What was guessed, and which folders are not read.
    """

    splits: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def layout_of(root: Path, folders: str) -> Layout:
    """Find out what the folders of a root are.

    Args:
        root: The folder.
        folders: ``dataset.folders``: ``auto``, ``classes`` or ``splits``.

    Raises:
        DataError: They can be read in two ways, or a split that has to be there is not.
        OSError: The root cannot be looked into.
    """
    names = class_folders(root)
    if folders == "classes":
        return Layout()
    named: dict[str, list[str]] = {}
    for name in names:
        if (split := _SPLIT_OF.get(name.lower())) is not None:
            named.setdefault(split, []).append(name)
    is_alone = len(names) == 1 and "train" in named  # one class could not be learned
    if folders == "auto" and len(named) < 2 and not is_alone:
        known = [name for own in named.values() for name in own]
        return Layout({}, [_is_class(root, known)] if known else [])
    _refuse_what_is_unclear(root, folders, named)
    notes = [f"{root}: {names[0]!r} is its only folder and is taken for the split"] if is_alone else []
    rest = [name for name in names if name.lower() not in _SPLIT_OF]
    if rest:
        notes.append(f"{root}: not read, as they lie beside the splits: {_some(rest)}; dataset.folders=classes if not")
    return Layout({split: root / named[split][0] for split in SPLITS if split in named}, notes)


def class_folders(folder: Path) -> list[str]:
    """The folders in a folder that are not hidden, by name."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if tree.leads_to_folder(e) and not tree.is_hidden(e.name))


def _is_class(root: Path, known: list[str]) -> str:
    is_train = any(_SPLIT_OF[name.lower()] == "train" for name in known)
    otherwise = "; if it is the split: dataset.folders=splits" if is_train else ""
    return f"{root}: {_some(known)} is taken for a class, as no other split lies beside it{otherwise}"


def _refuse_what_is_unclear(root: Path, folders: str, named: dict[str, list[str]]) -> None:
    otherwise = "; if these are classes: dataset.folders=classes" if folders == "auto" else ""
    problems = [
        ConfigIssue(
            "dataset.root", f"{' and '.join(map(repr, own))} are both names of {split}; leave one{otherwise}", str(root)
        )
        for split, own in named.items()
        if len(own) > 1
    ]
    if "train" not in named:
        found = _some([name for own in named.values() for name in own]) or "no split"
        expected = f"holds {found}, and no folder called {' or '.join(SPLITS['train'])}{otherwise}"
        problems.append(ConfigIssue("dataset.root", expected, str(root)))
    if problems:
        raise DataError(problems)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
