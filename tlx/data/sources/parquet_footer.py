"""What a Parquet file says of the size of its columns, from its footer: Thrift's compact protocol.

pyarrow knows this as well, but ends the process where what is said of a column contradicts itself.
"""

from __future__ import annotations

import os
from io import BufferedReader
from typing import Any

_TAIL = 8  # bytes: the length of the footer, and PAR1
_MOST = 256 << 20  # bytes of a footer
_DEEPEST = 32  # structures within each other
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
# The fields, by their numbers in parquet.thrift, that lead to what is wanted
_GROUPS, _COLUMNS, _COLUMN = 4, 1, 3
_PATH, _VALUES, _SIZE = 3, 5, 6


def claimed(stream: BufferedReader, names: list[str], value: int) -> int:
    """Bytes of columns without compression, and ``value`` more for each value in them, items of lists included.

    Args:
        stream: The file, which pyarrow has opened without complaint.
        names: Of the columns.
        value: Bytes that a value takes whatever it is.

    Raises:
        ValueError: The footer is not what it should be.
    """
    size = os.fstat(stream.fileno()).st_size
    stream.seek(max(0, size - _TAIL))
    length = int.from_bytes(stream.read(4), "little")
    if length > min(_MOST, size - _TAIL):
        raise ValueError(f"its footer claims {length:,} bytes")
    stream.seek(size - _TAIL - length)
    wanted = {name.encode() for name in names}
    total = 0

    def column(found: dict[int, Any]) -> None:
        nonlocal total
        path = found.get(_PATH)
        if isinstance(path, list) and path and path[0] in wanted:
            total += max(0, int(found.get(_SIZE, 0))) + value * max(0, int(found.get(_VALUES, 0)))

    _Reader(stream.read(length)).struct({_GROUPS: {_COLUMNS: {_COLUMN: column}}})
    return total


class _Reader:
    """Reads one structure; of structures within it only those on the way to a column are looked into."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def struct(self, way: Any, depth: int = 0) -> dict[int, Any]:
        """Read the fields of a structure, and pass them on where ``way`` has come to its end."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deep")
        found: dict[int, Any] = {}
        number = 0
        while kind := (head := self._byte()) & 15:
            number = number + (head >> 4) if head >> 4 else self._signed()
            found[number] = self._value(kind, way.get(number) if isinstance(way, dict) else None, depth + 1)
        if callable(way):
            way(found)
        return found

    def _value(self, kind: int, way: Any, depth: int, in_list: bool = False) -> Any:
        if kind in (_TRUE, _FALSE):
            return bool(self._byte()) if in_list else kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in _INTEGERS:
            return self._signed()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._number())
        if kind in (_LIST, _SET):
            return self._list(way, depth)
        if kind == _MAP:
            return self._map(depth)
        if kind == _STRUCT:
            return self.struct(way, depth)
        raise ValueError(f"its footer has a value of kind {kind}")

    def _list(self, way: Any, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        count = self._number() if count == 15 else count
        if depth > _DEEPEST or count > len(self.content):
            raise ValueError("its footer has a list that is too long or too deep")
        values = (self._value(kind, way, depth + 1, in_list=True) for _ in range(count))
        if kind == _STRUCT:  # passed on already, where they are wanted
            for _ in values:
                pass
            return []
        return list(values)

    def _map(self, depth: int) -> None:
        count = self._number()
        if depth > _DEEPEST or count > len(self.content):
            raise ValueError("its footer has a map that is too long or too deep")
        kinds = self._byte() if count else 0
        for _ in range(count):
            self._value(kinds >> 4, None, depth + 1, in_list=True)
            self._value(kinds & 15, None, depth + 1, in_list=True)

    def _number(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("its footer has a number without end")

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        found = self.content[self.place : self.place + count]
        if len(found) < count:
            raise ValueError("its footer is torn")
        self.place += count
        return found
