"""Lines of a file in UTF-8, read one by one and never further than a row may be long."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from tlx.data.sources.sheet import Sheet

_PIECE = 1 << 20  # bytes passed over at once


class RowTooLong(Exception):
    """A row is over the limit; it was told and passed over, and the next line begins another row."""


class Lines:
    """The lines of a file as text, numbered; one that is not UTF-8 is told and read as far as it goes.

    Attributes:
        number: Of the line read last, from 1.
        broken: Was a line of this row not UTF-8? Whoever begins a row sets it back, by :meth:`begin`.
    """

    def __init__(self, sheet: Sheet, stream: BinaryIO) -> None:
        self.sheet = sheet
        self.stream = stream
        self.number = 0
        self.broken = False
        self.first = 1
        self.left = sheet.limits.row_bytes

    def begin(self) -> None:
        """The next line begins a row."""
        self.broken = False
        self.first = self.number + 1
        self.left = self.sheet.limits.row_bytes

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self.stream.readline(self.left + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if len(raw) > self.left:
            self._pass_over(raw)
            most = self.sheet.limits.row_bytes
            self.sheet.bad(self.first, f"has more than {most:,} bytes; raise dataset.limits.row_bytes to read it")
            raise RowTooLong
        self.left -= len(raw)
        if self.number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            if not raw:  # nothing but the mark
                raise StopIteration
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"not UTF-8 at byte {error.start} of the line; save the file as UTF-8"
            self.sheet.bad(self.number, message)
            self.broken = True
            return raw.decode("utf-8", errors="replace")

    def _pass_over(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self.stream.readline(_PIECE)
