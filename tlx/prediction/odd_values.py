"""Images whose values are not those of train: counted over a call, and said in a few lines."""

from __future__ import annotations

from tlx.columns import Image
from tlx.columns.image_seen import Seen
from tlx.columns.image_unlike import Unlike


class OddValues:
    """Counts, by column, images that look otherwise than those of train, as evaluation does."""

    def __init__(self) -> None:
        self._found: dict[str, Unlike] = {}

    def look(self, column: Image, seen: Seen) -> None:
        """Take in an image of a column."""
        if column.name not in self._found:
            self._found[column.name] = Unlike(column)
        self._found[column.name].add(seen)

    def lines(self) -> list[str]:
        """A line for each oddity of each column."""
        return [line for one in self._found.values() for line in one.lines()]
