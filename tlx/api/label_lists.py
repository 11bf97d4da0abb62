"""Several labels of each example: lists of names, or indicators, 0 and 1 by name or by position."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from tlx.data.sources.rows import word

Known = Mapping[str, bool | None]  # is a class there? None: unknown, as is one that is not named
_ABSENT, _THERE, _UNKNOWN = 0, 1, -1
_DIGITS = {"0", "1", "-1"}
_LISTS = "give lists of names, as [['cat', 'dog'], ['dog']]"


def label_lists(values: Sequence[Any]) -> tuple[list[tuple[str, ...] | Known | None], list[tuple[int, str]]]:
    """Labels as they are kept.

    Args:
        values: Of each example names; or a mapping from names to 0, 1 or unknown; or, of all of them, as many
            indicators: 0, 1 or unknown (-1, NaN, None) for the classes "0", "1", ...

    Returns:
        Of each example the names of its classes; where some are unknown, or a class is nowhere, mappings. And faults:
        the number of an example, and why its labels cannot be read.
    """
    if values and all(isinstance(value, Mapping) for value in values):
        return _indicated(values)
    if values and all(_is_row(value) for value in values):
        lengths = {len(value) for value in values}
        if len(lengths) == 1 and lengths != {0}:
            return _by_position(values)
    found = [_names(value) for value in values]
    return [names for names, _ in found], [(i, fault) for i, (_, fault) in enumerate(found) if fault]


def is_nothing(value: Any) -> bool:
    """Is it None, NaN, or pandas' own word for what is not there?"""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _is_row(value: Any) -> bool:
    """Is it numbers, bools and nothing, in an order?"""
    if isinstance(value, (str, bytes, Mapping)) or not (isinstance(value, Sequence) or hasattr(value, "__array__")):
        return False
    return all(isinstance(one, (numbers.Real, np.bool_)) or is_nothing(one) for one in value)


def _by_position(values: Sequence[Any]) -> tuple[list[Any], list[tuple[int, str]]]:
    count = len(values[0])
    if count == 1:
        shown = "one number of each example is no list of names: give numbers themselves (labels.ravel()) for one label"
        return [None] * len(values), [(0, f"{shown}; for several {_LISTS}")]
    wrong = next((i for i, row in enumerate(values) if not all(map(_is_indicator, row))), None)
    if wrong is not None:
        message = f"{count} numbers of each example are indicators where each is 0, 1 or unknown (NaN, None); for ids"
        return [None] * len(values), [(wrong, f"{message} {_LISTS}; numbers to be predicted are columns of a table")]
    return _indicated([{str(place): one for place, one in enumerate(row)} for row in values])


def _indicated(values: Sequence[Mapping[Any, Any]]) -> tuple[list[Any], list[tuple[int, str]]]:
    faults = []
    for i, row in enumerate(values):
        bad = [f"{name!r}: {one!r:.40}" for name, one in row.items() if not _is_indicator(one)]
        if bad:
            faults.append((i, f"expected 0, 1 or unknown (NaN, None) for each name, found {', '.join(bad[:3])}"))
    given = {one for row in values for one in row.values() if not is_nothing(one) and _is_indicator(one)}
    if _UNKNOWN in given and _ABSENT not in given and not faults:
        faults.append((0, "1 and -1 without a 0: is -1 not there, or unknown? give 0 for the one, NaN for the other"))
    if faults:
        return [None] * len(values), faults
    known = [{str(word(name)): _known(one) for name, one in row.items()} for row in values]
    names = set(chain.from_iterable(known))
    there = {name for row in known for name, one in row.items() if one}
    if names == there and all(len(row) == len(names) and None not in row.values() for row in known):
        return [tuple(sorted(name for name, one in row.items() if one)) for row in known], []
    return known, []


def _is_indicator(value: Any) -> bool:
    if isinstance(value, (numbers.Real, np.bool_)):
        return is_nothing(value) or value in (_ABSENT, _THERE, _UNKNOWN)
    return is_nothing(value)


def _known(value: Any) -> bool | None:
    return None if is_nothing(value) or value == _UNKNOWN else bool(value)


def _names(value: Any) -> tuple[tuple[str, ...] | None, str]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Collection):
        return None, f"expected a list of names, not a {type(value).__name__}"
    if any(is_nothing(one) or not str(one).strip() for one in value):
        return None, "has a name that is empty"
    words = [str(word(one)) for one in value]
    repeated = len(set(words)) < len(words)
    if any(isinstance(one, (bool, np.bool_)) for one in value) or (repeated and set(words) <= _DIGITS):
        return None, f"are these names, or indicators? indicators are as many numbers for each example; else {_LISTS}"
    return tuple(sorted(set(words))), ""
