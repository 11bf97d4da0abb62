"""Rows of CSV and TSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from tlx.data.sources.lines import Lines, RowTooLong
from tlx.data.sources.sheet import Refused, RowIterator, Sheet, shortened
from tlx.files import regular

_LIMIT = Lock()  # the csv module has one limit for all that is read


def read(sheet: Sheet) -> RowIterator:
    """Every row that has as many cells as the header, which comes first; the others are noted in ``sheet``.

    Raises:
        OSError: The file cannot be opened or read.
        Refused: All columns are wanted, and two have one name or there are too many.
    """
    with regular.opened(sheet.file) as stream:
        lines = Lines(sheet, stream)
        reader = csv.reader(lines, delimiter="\t" if sheet.file.suffix.lower() == ".tsv" else ",", strict=True)
        header: list[str] | None = None
        where: list[int] = []
        while True:
            lines.begin()
            first = lines.first  # a quoted cell may go on over several lines: a row is where it begins
            try:
                with _longest_cell(sheet.limits.cell_characters):
                    cells = next(reader)
            except StopIteration:
                return
            except RowTooLong:
                if lines.number > first:  # a quote was open: whether it is now, nobody knows
                    _give_up(sheet, first, "dataset.limits.row_bytes", sheet.limits.row_bytes, "a row", "bytes")
                    return
                continue
            except csv.Error as error:
                if "field limit" in str(error):
                    most = sheet.limits.cell_characters
                    if lines.number > first:
                        _give_up(sheet, first, "dataset.limits.cell_characters", most, "a cell", "characters")
                        return
                    message = f"has a cell of more than {most:,} characters"
                    sheet.bad(first, f"{message}; raise dataset.limits.cell_characters to read it")
                else:
                    sheet.bad(first, f"not readable as CSV: {error}")
                continue
            if lines.broken or not cells:
                continue
            if header is None:
                header = [name.strip() for name in cells]
                where = _places(sheet, header)
            elif len(cells) != len(header):
                sheet.bad(first, f"has {len(cells)} cells, the header has {len(header)}")
            else:
                if not sheet.columns:
                    sheet.see(header)
                yield lines.number, [cells[place] if place >= 0 else None for place in where]


def _places(sheet: Sheet, header: list[str]) -> list[int]:
    """Where the columns that are read lie in a row; -1 for one that is not there."""
    if sheet.wanted is not None:
        places = {name: place for place, name in enumerate(header)}  # of two of one name the last
        return [places.get(name, -1) for name in sheet.wanted]
    seen: set[str] = set()
    for name in header:
        if name in seen:
            message = f"has {header.count(name)} columns of the name {shortened(name)!r}; rename all but one"
            raise Refused(f"{message}, or name the columns that are to be read")
        seen.add(name)
    return list(range(len(header)))


def _give_up(sheet: Sheet, first: int, key: str, most: int, what: str, unit: str) -> None:
    """Note that the rest cannot be read: what follows may be rows, or text within an open quote."""
    message = f"{sheet.file}:{first} begins {what} of more than {most:,} {unit} that goes on over several lines"
    sheet.fatal(f"{message}; is a quote never closed? Close it, or raise the limit", key, most)


@contextmanager
def _longest_cell(most: int) -> Iterator[None]:
    with _LIMIT:
        before = csv.field_size_limit(min(most, sys.maxsize))
        try:
            yield
        finally:
            csv.field_size_limit(before)
