"""Rows of JSON lines: an object in each line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from tlx.data.sources.lines import Lines, RowTooLong
from tlx.data.sources.sheet import Refused, RowIterator, Sheet
from tlx.files import foreign, regular

_PLACE = 8  # bytes that a cell takes which is not there


def read(sheet: Sheet) -> RowIterator:
    """Every line that holds an object; the others are noted in ``sheet``, lines of blanks are passed over.

    Raises:
        OSError: The file cannot be opened or read.
        Refused: All columns are wanted, and there are too many, or too many cells are not there.
    """
    most = sheet.limits.cell_characters
    rows = given = 0
    with regular.opened(sheet.file) as stream:
        lines = Lines(sheet, stream)
        while True:
            lines.begin()
            try:
                text = next(lines)
            except StopIteration:
                return
            except RowTooLong:
                continue
            if lines.broken or not text.strip():
                continue
            cells, fault = _object(text)
            if cells is None:
                sheet.bad(lines.number, fault)
                continue
            if sheet.wanted is None:
                fault = _first_fault((*cells, *cells.values()), most)
                if not fault:
                    sheet.see(cells)
                    rows, given = rows + 1, given + len(cells)
                    _check_holes(sheet, rows * len(sheet.columns) - given)
                found = [cells.get(name) for name in sheet.columns]
            else:
                sheet.see(cells)
                found = [cells.get(name) for name in sheet.wanted]
                fault = _first_fault(found, most)
            if fault:
                sheet.bad(lines.number, fault)
                continue
            yield lines.number, found


def _check_holes(sheet: Sheet, holes: int) -> None:
    """See that cells which are not there take no more than a table may: a short row may lack a thousand columns."""
    if holes * _PLACE > sheet.limits.table_bytes:
        message = f"{sheet.file} lacks {holes:,} cells of {len(sheet.columns):,} columns"
        raise Refused(
            f"{message}; name the columns that are to be read, or raise the limit",
            "dataset.limits.table_bytes",
            sheet.limits.table_bytes,
        )


def _first_fault(values: Iterable[Any], most: int) -> str:
    """Why one of the values is no cell; empty when each is one."""
    return next((fault for value in values if (fault := _fault(value, most))), "")


def _object(text: str) -> tuple[dict[str, Any] | None, str]:
    """The object of a line, or why it holds none."""
    try:
        cells = foreign.json_value(text)
    except foreign.Unreadable as error:
        cause = error.__context__  # json says where in the text; a line is short enough for what alone
        reason = cause.msg if isinstance(cause, json.JSONDecodeError) else str(error)
        return None, f"not readable as JSON: {reason} (one object per line)"
    if not isinstance(cells, dict):
        return None, f"expected an object, found {type(cells).__name__}"
    return cells, ""


def _fault(value: Any, most: int) -> str:
    """Why a value is no cell."""
    if isinstance(value, list):
        return _first_fault(value, most)
    if isinstance(value, float) and math.isinf(value):
        return "holds a number that is not finite"
    if not isinstance(value, str):
        return ""
    if len(value) > most:
        return f"has a cell of more than {most:,} characters; raise dataset.limits.cell_characters to read it"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"holds half a character (\\u{ord(value[error.start]):04x}), which no file in UTF-8 can"
    return ""
