"""What examples belong together by, and when they are from: a number for each example, from its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tlx.columns import Column
from tlx.columns.reading import Indices
from tlx.config import patterns
from tlx.config.dataset import Dataset
from tlx.config.errors import ConfigIssue, DataError, suggest
from tlx.data.moments import moments
from tlx.data.source import Source

GROUP = "group"  # the column that a pattern makes
_SHOWN = 20  # examples that are named


@dataclass(frozen=True)
class Groups:
    """What belongs together.

    Attributes:
        codes: Of each example, the number of its group, -1 for none [examples].
        names: Of the groups.
        what: They are of, for messages: the name of the column.
    """

    codes: Indices
    names: Sequence[str]
    what: str


def by_pattern(pattern: str, paths: Sequence[str]) -> list[str]:
    """The group of each path: what a regular expression's first group matches in it.

    Raises:
        DataError: It is no regular expression with a group, takes too long, or does not match a path.
    """
    try:
        found = patterns.captured(pattern, paths)
    except patterns.Refused as error:
        raise DataError([ConfigIssue("dataset.group.pattern", str(error), pattern)]) from None
    missed = [path for path, group in zip(paths, found, strict=True) if group is None]
    if missed:
        problems = [ConfigIssue(path, "dataset.group.pattern does not match this path") for path in missed[:_SHOWN]]
        more = f"; {len(missed) - _SHOWN:,} more paths are not matched" if len(missed) > _SHOWN else ""
        message = f"expected a pattern that finds a group in each of the {len(paths):,} paths{more}"
        raise DataError([*problems, ConfigIssue("dataset.group.pattern", message, pattern)])
    return [group for group in found if group is not None]


def groups_of(source: Source, config: Dataset) -> Groups | None:
    """The groups of all examples, once they are encoded; None where no column has any.

    An example without a group is none of any, where splits are not cut by groups.

    Raises:
        DataError: ``dataset.group.column`` is no column; or splits are cut by groups, and examples have none, or it is
            not clear which column is meant.
    """
    if config.group.pattern is not None and GROUP not in {column.name for column in source.columns}:
        message = "these data have no paths of images to search; use dataset.group.column, or leave it at null"
        raise DataError([ConfigIssue("dataset.group.pattern", message, config.group.pattern)])
    has_to_be = config.split_by == "group"
    name = config.group.column if config.group.pattern is None else GROUP
    column = _column(source, "group", "dataset.group.column", name, has_to_be=has_to_be)
    if column is None:
        return None
    names = [str(column.shown(value)) for value in source.rows[column.name]]
    empty = [i for i, name in enumerate(names) if not name.strip()]
    if empty and has_to_be:
        message = f"no {column.name!r}: to which group it belongs is not known"
        raise DataError(_named(source, dict.fromkeys(empty, message)))
    kinds, codes = np.unique(np.asarray(names, dtype=object), return_inverse=True)
    codes = codes.astype(np.int64)
    codes[empty] = -1
    return Groups(codes, kinds.tolist(), column.name)


def times_of(source: Source, config: Dataset) -> npt.NDArray[np.float64] | None:
    """When each example is from: numbers as they are, ISO dates in seconds; None where no column says.

    Raises:
        DataError: ``dataset.time`` is no column, or a value of it is neither a number nor a date, or its order is in
            doubt.
    """
    column = _column(source, "time", "dataset.time", config.time, has_to_be=True)
    if column is None:
        return None
    times, wrong = moments(source.rows[column.name])
    if wrong:
        raise DataError(_named(source, {i: f"{column.name!r} {why}" for i, why in sorted(wrong.items())}))
    return times


def _column(source: Source, role: str, key: str, name: str | None, *, has_to_be: bool) -> Column | None:
    """The column that an option names, or the one of a role."""
    known = {column.name: column for column in source.columns}
    if name is not None:
        if name not in known:
            hint = suggest(name, list(known)) or f"; they are {', '.join(known)}"
            raise DataError([ConfigIssue(key, f"the data have no such column{hint}", name)])
        return known[name]
    found = [column for column in source.columns if column.role == role]
    if len(found) > 1 and has_to_be:
        names = ", ".join(repr(column.name) for column in found)
        raise DataError([ConfigIssue(key, f"several columns have the role {role}: {names}; name one of them")])
    return found[0] if len(found) == 1 else None


def _named(source: Source, wrong: Mapping[int, str]) -> list[ConfigIssue]:
    more = [ConfigIssue("...", f"and {len(wrong) - _SHOWN:,} more")] if len(wrong) > _SHOWN else []
    return [*(ConfigIssue(source.origin(i), why) for i, why in list(wrong.items())[:_SHOWN]), *more]
