"""Bytes that the cells of a file may take once decoded: a small file may hold a few long texts a million times."""

from __future__ import annotations

from tlx.data.sources.sheet import Refused, Sheet

VALUE = 32  # bytes that a value takes whatever it is
_NUMBERS = {1: "one column", 2: "two columns"}


class Budget:
    """Counts bytes down from ``dataset.limits.table_bytes``.

    Args:
        sheet: What is read.
        columns: How many columns are counted, for the message.
    """

    def __init__(self, sheet: Sheet, columns: int) -> None:
        self.most = self.left = sheet.limits.table_bytes
        self.file = sheet.file
        self.columns = _NUMBERS.get(columns, f"{columns:,} columns")

    def claim(self, size: int) -> None:
        """See that what the file says of itself is allowed; raises :class:`Refused`."""
        if size > self.most:
            raise self._over(f"{size:,} bytes")

    def spend(self, size: int) -> None:
        """Count what was decoded, whatever the file said; raises :class:`Refused` when it is too much."""
        self.left -= size
        if self.left < 0:
            raise self._over("more bytes than this")

    def _over(self, size: str) -> Refused:
        message = f"{self.file} has {size} in its {self.columns} once decoded; raise the limit to read it"
        return Refused(message, "dataset.limits.table_bytes", self.most)
