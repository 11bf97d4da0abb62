"""Rows of JSON lines: an object in each line."""

from __future__ import annotations

import json
import math
from typing import Any

from tlx.data.sources.lines import Lines, RowTooLong
from tlx.data.sources.sheet import RowIterator, Sheet
from tlx.files import foreign, regular


def read(sheet: Sheet) -> RowIterator:
    """Every line that holds an object; the others are noted in ``sheet``, lines of blanks are passed over.

    Raises:
        OSError: The file cannot be opened or read.
    """
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
            sheet.see(cells)
            found = cells.get(sheet.input), cells.get(sheet.label)
            if fault := next((fault for value in found if (fault := _fault(value, sheet.limits.cell_characters))), ""):
                sheet.bad(lines.number, fault)
                continue
            yield lines.number, found[0], found[1]


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
        return next((fault for item in value if (fault := _fault(item, most))), "")
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
