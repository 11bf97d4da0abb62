"""Texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tlx.columns.column import Column
from tlx.columns.reading import Indices, Reader, Reading, Values


@dataclass(frozen=True)
class Text(Column):
    """A text."""

    kind: ClassVar[str] = "text"

    def problem(self, value: Any) -> str:
        """A text of blanks says nothing."""
        return "" if str(value).strip() else "empty text"

    def prepare(self, value: Any, reading: Reading) -> list[int]:
        """Ids of at most as many tokens as the backbone reads."""
        from tlx.columns import text_reader  # torch

        return text_reader.tokenised([value], text_reader.spec_of(reading))[0]

    def collate(self, prepared: Values, reading: Reading) -> Any:
        """Ids padded to the longest text, and a mask."""
        from tlx.columns import text_reader  # torch

        return text_reader.padded(list(prepared), text_reader.spec_of(reading).pad_id)

    def reader(self, values: Values, indices: Indices, reading: Reading) -> Reader:
        """All texts of the split, as tokens."""
        from tlx.columns import text_reader  # torch

        return text_reader.Tokenised([str(values[i]) for i in indices], text_reader.spec_of(reading))
