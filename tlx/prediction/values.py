"""Raw values as the columns of a trained model read them; what is none is one refusal that says what was expected."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from tlx.columns import Category, Column, Image, Number, Text
from tlx.columns.number import number, word
from tlx.config.dataset_parts import Limits
from tlx.config.errors import suggest
from tlx.files.printable import printable
from tlx.prediction import images
from tlx.prediction.refused import InvalidInput as InvalidInput
from tlx.prediction.refused import first_line, kind_of

Row = Mapping[str, Any]  # a value for each input column
_LARGEST, _FAR = 1e150, 1e30  # as training allows: deviations from the mean of train
_SHOWN = 10  # names in a message


def row_of(value: Any, columns: Mapping[str, Column]) -> Row:
    """The values by column.

    Args:
        value: A mapping by column; of a model with one input column, the value itself does as well.
        columns: The inputs of the model.

    Raises:
        InvalidInput: Columns are missing or unknown; the message names what is expected.
    """
    if not isinstance(value, Mapping):
        if len(columns) == 1:
            return {next(iter(columns)): value}
        raise InvalidInput(f"expected a row with the columns {described(columns)}, found {kind_of(value)}")
    missing = [name for name in columns if name not in value]
    unknown = [name for name in value if name not in columns]
    if not missing and not unknown:
        return value
    parts = [f"lacks {_listed(missing)}"] if missing else []
    if unknown:
        parts.append(f"has {_listed(unknown)}{suggest(str(unknown[0]), missing) if missing else ''}")
    raise InvalidInput(f"expected the columns {described(columns)}; the row {' and '.join(parts)}")


def canonical(column: Column, value: Any, limits: Limits) -> Any:
    """A raw value as the column reads it: a decoded image, a text, a number, a word.

    Raises:
        InvalidInput: It is no value of the column.
    """
    if isinstance(column, Image):
        return images.looked_at(column, value, limits)[0]
    if isinstance(column, Text):
        return _text(value)
    if isinstance(column, Number):
        return _number(column, value)
    if isinstance(column, Category):
        if isinstance(value, (list, tuple, dict, set, bytes, np.ndarray)):
            raise InvalidInput(f"expected a word, found {kind_of(value)}")
        return word(value)
    try:
        found = column.read(value, limits)
        problem = column.problem(found)
    except Exception as error:  # the code of a kind of one's own may raise anything on a foreign value
        raise InvalidInput(f"unreadable {column.kind}: {first_line(error)}") from error
    if problem:
        raise InvalidInput(problem)
    return found


def described(columns: Mapping[str, Column]) -> str:
    """The columns with what each takes, for messages: ``'age' (number), 'photo' (image)``."""
    names = [f"{printable(name)!r} ({column.kind})" for name, column in list(columns.items())[:_SHOWN]]
    return ", ".join(names) + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")


class NewWords:
    """Counts the words that train has not: to a network, each is none of its categories."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._known = {name: set(one.categories) for name, one in columns.items() if isinstance(one, Category)}
        self._new = dict.fromkeys(self._known, 0)
        self._count = 0

    def look(self, row: Any) -> None:
        """Take in a row; what is none is left to others to refuse."""
        self._count += 1
        for name, known in self._known.items() if isinstance(row, Mapping) else ():
            self._new[name] += name in row and word(row[name]) not in known

    def lines(self) -> list[str]:
        """A line for each column that has some."""
        return [
            f"{count:,} of {self._count:,} {name!r} are no word of train" for name, count in self._new.items() if count
        ]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"expected a text, found {kind_of(value)}")
    if not value.strip():
        raise InvalidInput("empty text")
    return value


def _number(column: Number, value: Any) -> float:
    found = number(value)
    if not isinstance(value, (str, numbers.Real, np.bool_)):
        raise InvalidInput(f"expected a number, found {kind_of(value)}")
    if not math.isfinite(found):
        raise InvalidInput(f"expected a finite number, found {printable(value)!r:.60}")
    if abs(found) > _LARGEST or abs(found - column.mean) / column.deviation > _FAR:
        raise InvalidInput(f"is more than {_FAR:g} deviations from the mean of train")
    return found


def _listed(names: list[Any]) -> str:
    shown = ", ".join(f"{printable(name)!r:.60}" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
