"""What a bundle says about its model beside the configuration: the classes, and what the weights' hash is."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tlx.data.source import DataInfo
from tlx.files import durable, foreign

FILE = "model.json"
_LARGEST = 16 << 20
_MOST_CLASSES, _MOST_CHANNELS, _LONGEST_NAME = 100_000, 256, 10_000


@dataclass(frozen=True)
class Info:
    """The fields of :class:`DataInfo` as JSON has them."""

    modality: Literal["image", "text"]
    classes: list[str]
    channels: int
    n_train: int
    n_val: int
    n_test: int
    multilabel: bool = False


@dataclass(frozen=True)
class Facts:
    """The content of the file; ``sum`` is the hash of the tensors, ``identity`` the trial's."""

    info: Info
    sum: str
    identity: str


def write(folder: Path, info: DataInfo, sum_: str, identity: str) -> None:
    """Put the facts into a bundle."""
    facts = {"info": asdict(info), "sum": sum_, "identity": identity}
    durable.write(folder / FILE, json.dumps(facts, indent=1))


def read(folder: Path) -> tuple[DataInfo, str]:
    """What the model must know about its data, and the hash of its tensors.

    Raises:
        FileNotFoundError: There is none.
        foreign.Unreadable: It is not what tlx writes; the message says why.
    """
    found = foreign.json_file(folder / FILE, Facts, _LARGEST)
    info, classes = found["info"], found["info"]["classes"]
    if not 1 <= len(classes) <= _MOST_CLASSES or len(set(classes)) != len(classes):
        raise foreign.Unreadable(f"expected 1 to {_MOST_CLASSES:,} classes with names of their own")
    if any(len(name) > _LONGEST_NAME or not _is_text(name) for name in classes):
        raise foreign.Unreadable(f"expected names of classes of at most {_LONGEST_NAME:,} letters in UTF-8")
    if not (1 if info["modality"] == "image" else 0) <= info["channels"] <= _MOST_CHANNELS:
        raise foreign.Unreadable(f"expected 1 to {_MOST_CHANNELS} channels, found {info['channels']}")
    if min(info["n_train"], info["n_val"], info["n_test"]) < 0:
        raise foreign.Unreadable("expected numbers of examples from 0 on")
    if not re.fullmatch("[0-9a-f]{32}", found["sum"]):
        raise foreign.Unreadable("expected a hash of 32 hexadecimal digits as sum")
    return DataInfo(**{**info, "classes": tuple(classes)}), found["sum"]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half a letter, which no answer can hold
        return False
    return True
