"""What a finished trial is asked to predict: images, folders of them, tables, lines of text; one after the other."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tlx.columns import Column, Image, Text
from tlx.columns.formats import FORMATS, suffix_of
from tlx.composition.name_rules import is_there, path_fault
from tlx.config import band_files
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.config.schema import Trial
from tlx.data import band_sets
from tlx.data.sources import rows, tree
from tlx.files import regular
from tlx.prediction import lines
from tlx.prediction.lines import Named
from tlx.prediction.tables import Table
from tlx.prediction.values import NewWords, described

_STDIN = "-"


@dataclass
class Inputs:
    """What is to be predicted, in order.

    Args:
        examples: Where each is from, and its value, or why there is none.
        count: How many there are; None where that is known at the end alone.
        notes: What was left out, and how things are read; some is known at the end alone.
    """

    examples: Iterator[Named]
    count: int | None = None
    notes: list[str] = field(default_factory=list)


def inputs_of(words: Sequence[str], trial: Trial, columns: Mapping[str, Column], limits: Limits) -> Inputs:
    """Find what words name: image files, folders, tables, ``.txt`` files, or ``-`` for standard input.

    Args:
        words: At least one.
        trial: Of the model; it says what the columns of its own files were called.
        columns: The inputs of the model.
        limits: The most that is read of one.

    Raises:
        ConfigError: With everything that cannot be read by this model; nothing was read yet.
    """
    found, problems = list[Inputs](), list[ConfigIssue]()
    for word in words:
        try:
            found.append(_inputs(word, trial, columns, limits))
        except ConfigError as error:
            problems += error.problems
    if words.count(_STDIN) > 1:
        problems.append(ConfigIssue("input", "standard input can be read once", _STDIN))
    if problems:
        raise ConfigError(problems)
    counts = [one.count for one in found]
    whole = Inputs(iter(()), sum(one or 0 for one in counts) if None not in counts else None)
    whole.examples = _chained(found, columns, whole.notes)
    return whole


def _chained(found: Sequence[Inputs], columns: Mapping[str, Column], notes: list[str]) -> Iterator[Named]:
    words = NewWords(columns)
    for one in found:
        for name, value in one.examples:
            words.look(value)
            yield name, value
        notes += one.notes
    notes += words.lines()


def _inputs(word: str, trial: Trial, columns: Mapping[str, Column], limits: Limits) -> Inputs:
    alone = next(iter(columns.values())) if len(columns) == 1 else None
    if word == _STDIN:
        return _stdin(columns, alone, limits)
    if not is_there(word) and (fault := path_fault(word)):
        raise ConfigError([ConfigIssue("input", fault, word)])
    path = Path(word).expanduser()
    suffix = path.suffix.lower()
    try:
        if isinstance(alone, Image) and _stands_for_files(path, alone):
            return Inputs(iter([(word, path)]), 1)
        if path.is_dir():
            if not isinstance(alone, Image):
                raise _unfit(word, "a folder holds images", columns)
            return _folder(path, alone)
        regular.look(path)
    except (OSError, ValueError) as error:
        raise ConfigError([ConfigIssue("input", f"cannot be read: {regular.reason(error)}", word)]) from None
    if suffix in rows.SUFFIXES:
        table = Table(path, trial, columns, limits)
        return Inputs(table.examples(), None, table.notes)
    if suffix_of(path.name):
        if not isinstance(alone, Image):
            raise _unfit(word, "is an image", columns)
        return Inputs(iter([(word, path)]), 1)
    if suffix == ".txt":
        if not isinstance(alone, Text):
            raise _unfit(word, "holds texts", columns)
        notes: list[str] = []
        return Inputs(_texts_of(path, limits, notes), None, notes)
    known = sorted({*FORMATS, *rows.SUFFIXES, ".txt"})
    raise ConfigError([ConfigIssue("input", f"expected a folder, - or a file of {', '.join(known)}", word)])


def _unfit(word: str, what: str, columns: Mapping[str, Column]) -> ConfigError:
    message = f"{what}; this model reads the columns {described(columns)}: give a table of them"
    return ConfigError([ConfigIssue("input", message, word)])


def _stands_for_files(path: Path, column: Image) -> bool:
    """Is a path what the files of an image are called after? One that lacks some of them is said when it is read."""
    bands = band_files.parsed(column.band_files) if column.band_files else None
    return bands is not None and not path.is_file() and any(file.is_file() for file in bands.of(path))


def _folder(folder: Path, column: Image) -> Inputs:
    """The images below a folder, in the order of their paths; hidden files and others are left out and counted.

    Where those of train are of several files, such images are taken; of a folder without any, every file is one.
    """
    walk = tree.Tree(str(folder))
    try:
        files = [name for name, _ in walk.files()]
    except OSError as error:
        raise ConfigError([ConfigIssue("input", f"cannot be looked into: {regular.reason(error)}", folder)]) from error
    bands = band_files.parsed(column.band_files) if column.band_files else None
    sets, others = band_sets.grouped(files, bands) if bands is not None else ({}, [])
    images = list(sets) or [name for name in files if suffix_of(name)]
    told = {
        "hidden files and folders left out": len(walk.hidden),
        f"files that are no band of {column.band_files}": len(others) if sets else 0,
        "files that are no images": 0 if sets else len(files) - len(images),
        "names without a file behind them": len(walk.special),
        "links to folders, which are not followed": len(walk.links),
        "folders that may not be looked into": len(walk.closed),
    }
    if not images:
        left = "; ".join(f"{what}: {count:,}" for what, count in told.items() if count)
        raise ConfigError([ConfigIssue("input", f"holds no images{f' ({left})' if left else ''}", folder)])
    notes = [f"{folder}: {what}: {count:,}" for what, count in told.items() if count]
    paths = (folder / name for name in images)
    return Inputs(((str(path), path) for path in paths), len(images), notes)


def _texts_of(path: Path, limits: Limits, notes: list[str]) -> Iterator[Named]:
    with regular.opened(path) as stream:
        yield from lines.texts(stream, lines.plain_sheet(path, limits), notes)


def _stdin(columns: Mapping[str, Column], alone: Column | None, limits: Limits) -> Inputs:
    """Lines of text for a model of one text, unless the first is a JSON object with its column; else JSON lines."""
    stream: BinaryIO = sys.stdin.buffer
    notes = list[str]()
    found = Inputs(iter(()), None, notes)

    def examples() -> Iterator[Named]:
        every = lines.texts(stream, lines.plain_sheet(_STDIN, limits), notes)
        first = next(every, None)
        if first is None:
            return
        whole = itertools.chain([first], every)
        if isinstance(alone, Text) and not lines.is_object(first[1], columns):
            yield from whole
            return
        if isinstance(alone, Text):
            notes.append("-: read as JSON lines, as the first one is an object with the model's column")
        yield from lines.objects(whole)

    found.examples = examples()
    return found
