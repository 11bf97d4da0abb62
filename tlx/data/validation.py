"""Look at every example once before the first step, so that no run dies of a bad file in its third hour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tlx.columns.reading import Indices, Inspection
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.source import Source

_SHOWN = 20  # problems listed; the rest are counted


def check(source: Source, splits: dict[str, Indices], config: Dataset, fingerprint: str) -> dict[str, Indices]:
    """The splits without unreadable examples (``on_bad=skip``), or :class:`DataError` naming each (``error``).

    Sound examples are remembered under the data set's fingerprint and not read again. What was seen of images is put
    into ``source.seen``, and the columns know what only all examples tell.
    """
    used = np.unique(np.concatenate(list(splits.values())))
    bad = problems(source, used, config, fingerprint)
    for name, seen in source.seen.items():
        sound = {i: one for i, one in seen.items() if i not in bad}
        source.columns = [column.settled(sound) if column.name == name else column for column in source.columns]
    return without(source, splits, config, bad)


def problems(source: Source, used: Indices, config: Dataset, fingerprint: str) -> dict[int, str]:
    """Why examples cannot be used, by their numbers in order; what was seen of images is put into ``source.seen``."""
    bad: dict[int, str] = {}
    for column in source.columns:
        contents = source.contents[column.name]() if column.name in source.contents else ()
        look = Inspection(config.limits, fingerprint, source.origin, source.notes, contents)
        for i, problem in column.problems(source.rows[column.name], used, look).items():
            bad.setdefault(i, problem)
        if look.seen:
            source.seen[column.name] = look.seen
    return dict(sorted(bad.items()))


def without(source: Source, splits: dict[str, Indices], config: Dataset, bad: Mapping[int, str]) -> dict[str, Indices]:
    """Refuse bad examples, or leave them out, as the configuration says.

    Args:
        source: Where they are from; what is left out is said in its notes.
        splits: Of the data, with the bad examples.
        config: Its ``on_bad`` decides.
        bad: Why, by the number of the example.

    Raises:
        DataError: They are refused, or too little is left without them.
    """
    if bad and config.on_bad == "error":
        raise refusal(source, bad)
    if bad:
        source.notes.append(
            f"{len(bad)} unreadable examples skipped: {', '.join(source.origin(i) for i in list(bad)[:3])}"
        )
        out = np.fromiter(bad, dtype=np.int64, count=len(bad))
        splits = {name: indices[~np.isin(indices, out)] for name, indices in splits.items()}
    if problems := _left(source, splits):
        raise DataError(problems)
    return splits


def refusal(source: Source, bad: Mapping[int, str]) -> DataError:
    """That examples cannot be read, each with the reason, by its number; of very many the first."""
    problems = [ConfigIssue(source.origin(i), why) for i, why in list(bad.items())[:_SHOWN]]
    if len(bad) > _SHOWN:
        problems.append(ConfigIssue("...", f"and {len(bad) - _SHOWN} more"))
    problems.append(ConfigIssue("dataset.on_bad", "set it to skip to leave them out", "error"))
    return DataError(problems)


def look_at_splits(source: Source, splits: Mapping[str, Indices]) -> None:
    """See that the columns, which know train now, can do with every split; what is odd is in the source's notes.

    Raises:
        DataError: One cannot.
    """
    problems: list[ConfigIssue] = []
    for column in source.columns:
        values = source.rows[column.name]
        if column.role != "target":  # of which it was seen to before
            problems += column.split_problems(values, splits)
        seen = source.seen.get(column.name)
        source.notes += column.notes(values, splits) if seen is None else column.notes(values, splits, seen)
    if problems:
        raise DataError(problems)


def _left(source: Source, splits: dict[str, Indices]) -> list[ConfigIssue]:
    """What is wrong with the splits that are left."""
    empty = [name for name, indices in splits.items() if len(indices) == 0]
    if empty:
        return [ConfigIssue(f"dataset ({name})", "no examples are left") for name in empty]
    return [
        problem
        for column in source.columns
        if column.role == "target"
        for problem in column.split_problems(source.rows[column.name], splits)
    ]
