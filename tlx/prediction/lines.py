"""Texts and JSON objects, one a line, of a stream that is read no further than it has come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from tlx.config.dataset_parts import Limits
from tlx.data.sources.lines import Lines, RowTooLong
from tlx.data.sources.sheet import Sheet
from tlx.files import foreign
from tlx.prediction.refused import InvalidInput

Named = tuple[str, Any]  # where a value is from, and the value, or why there is none


def texts(stream: BinaryIO, sheet: Sheet, notes: list[str]) -> Iterator[Named]:
    """The lines of a stream; those of blanks are passed over and counted in ``notes`` at the end."""
    lines = Lines(sheet, stream)
    blank = 0
    while True:
        lines.begin()
        try:
            text = next(lines)
        except StopIteration:
            break
        except RowTooLong:
            text = ""
        while sheet.problems:
            problem = sheet.problems.pop(0)
            yield problem.key, InvalidInput(problem.message)
            text = ""
            lines.broken = True
        if text.strip():
            yield f"{sheet.file}:{lines.number}", text.rstrip("\r\n")
        elif not lines.broken:
            blank += 1
    if blank:
        notes.append(f"{sheet.file}: {blank:,} lines of blanks passed over")


def objects(lines: Iterable[Named]) -> Iterator[Named]:
    """The JSON object of each line."""
    for name, text in lines:
        if isinstance(text, InvalidInput):
            yield name, text
            continue
        try:
            found = foreign.json_value(text)
        except foreign.Unreadable as error:
            cause = error.__context__
            reason = cause.msg if isinstance(cause, json.JSONDecodeError) else str(error)
            yield name, InvalidInput(f"not readable as JSON: {reason}")
            continue
        yield name, found if isinstance(found, dict) else InvalidInput("expected a JSON object")


def is_object(text: Any, names: Iterable[str]) -> bool:
    """Is a line a JSON object with one of these names?"""
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return False
    try:
        found = foreign.json_value(text)
    except foreign.Unreadable:
        return False
    return isinstance(found, dict) and not found.keys().isdisjoint(names)


def plain_sheet(name: Any, limits: Limits) -> Sheet:
    """What problems of a stream of lines are noted in."""
    return Sheet(name, None, limits)
