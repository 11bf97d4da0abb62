"""When examples are from: a column of numbers or one of ISO dates, whose order is beyond doubt."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tlx.columns.reading import Values

Times = npt.NDArray[np.float64]
_DECIMAL = re.compile(r"[+-]?[0-9]+\.([0-9]+)")
_PADDED = re.compile(r"[+-]?0(?:[0-9]{3,}|[0-9]+\..*)")  # 007 is a number, 0503 may be a day and a month
_MONTH = re.compile(r"[0-9]{1,2}\.(?:19|20)[0-9]{2}")


def moments(values: Values) -> tuple[Times, dict[int, str]]:
    """A number for each value, in the order of time: the number itself, or the seconds of a date.

    A column is of numbers or of dates; eight digits are a date where the others are dates. A date without a zone is in
    UTC.

    Args:
        values: Numbers, ISO dates, or what is written so.

    Returns:
        The numbers; and by position, why a value is none or its order is in doubt.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
        times = values.astype(np.float64)
        return times, _neither(times)
    texts = ["" if isinstance(value, (int, float)) else str(value).strip() for value in values]
    numbers = np.array([_number(value) for value in values], dtype=np.float64)
    dates = np.array([_date(text) for text in texts], dtype=np.float64)
    is_number, is_date = np.isfinite(numbers), np.isfinite(dates)
    if found := _neither(np.where(is_date, dates, numbers)):
        return numbers, found
    if not (is_date & ~is_number).any():
        return numbers, _doubtful(texts)
    example = texts[int(np.flatnonzero(is_date & ~is_number)[0])]
    message = f"is a number, and others are dates ({example}): write all as dates, or all as numbers"
    return dates, dict.fromkeys(np.flatnonzero(~is_date).tolist(), message)


def _neither(times: Times) -> dict[int, str]:
    message = "is neither a number nor an ISO date (2024-03-01, 2024-03-01T12:30)"
    return dict.fromkeys(np.flatnonzero(~np.isfinite(times)).tolist(), message)


def _doubtful(texts: Sequence[str]) -> dict[int, str]:
    """What is written as a number and may be a date, a time of day or a version, which numbers put in another order."""
    otherwise = "write ISO dates (2024-03-01), or numbers that are in order"
    if texts and all(_MONTH.fullmatch(text) for text in texts):
        return dict.fromkeys(range(len(texts)), f"is a month and a year, not a number: {otherwise}")
    found = {
        i: f"has a leading zero, as parts of dates have: {otherwise}"
        for i, text in enumerate(texts)
        if _PADDED.fullmatch(text) and not text.startswith(("0.", "+0.", "-0."))
    }
    fractions = {i: match[1] for i, text in enumerate(texts) if (match := _DECIMAL.fullmatch(text))}
    if len({len(one) for one in fractions.values()}) > 1:  # a program writes 1.1, or as many digits everywhere
        message = f"ends in a zero while others have fewer digits, as versions have (1.9, 1.10): {otherwise}"
        found |= {i: message for i, one in fractions.items() if len(one) > 1 and one.endswith("0")}
    return found


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _date(text: str) -> float:
    """The seconds of an ISO date; NaN for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
