"""Rows of Parquet, a few at a time: a small file may hold a few long texts a million times.

Texts are read as a dictionary and places in it, which together are no larger than what is distinct. Their bytes are
counted, each as often as it comes, before any of them becomes a text of Python's.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from tlx.data.sources.parquet_footer import claimed
from tlx.data.sources.sheet import RowIterator, Sheet
from tlx.files import regular

_ROWS = 4096  # decoded at once
_VALUE = 32  # bytes that a value takes whatever it is
_STRINGS, _CONTAINERS = 64 << 20, 1_000_000  # of the file's own description: bytes of a string, items of a list
_NOT_UTF8, _LONG = object(), object()  # stand for a text that cannot be read


class _Refused(Exception):
    """The file is not read; the option that helps, its value, and why."""

    def __init__(self, message: str, key: str, value: object) -> None:
        super().__init__(message)
        self.key, self.value = key, value


def read(sheet: Sheet) -> RowIterator:
    """The two columns of every row; whatever keeps them from being read is one problem in ``sheet``."""
    import pyarrow

    try:
        with regular.opened(sheet.file) as stream:
            yield from _rows(sheet, stream)
    except _Refused as refused:
        sheet.fatal(str(refused), refused.key, refused.value)
    except MemoryError:  # pyarrow's own is one
        sheet.fatal("not readable as Parquet: it takes more memory than there is")
    except (
        *(pyarrow.ArrowException, OSError, ValueError, TypeError),
        *(ArithmeticError, LookupError, RuntimeError, AttributeError),
    ) as error:
        # what is wrong inside a file becomes any of these: a torn page, a date in the year 300 000, a time zone that
        # nobody knows, a type that cannot be rebuilt
        first = (str(error) or type(error).__name__).splitlines()[0]
        sheet.fatal(f"not readable as Parquet: {first}")


def _rows(sheet: Sheet, stream: BufferedReader) -> RowIterator:
    file = _opened(stream)
    if file.metadata.num_rows == 0:
        return
    schema = file.schema_arrow
    sheet.see(schema.names)
    wanted = list(dict.fromkeys((sheet.input, sheet.label)))
    if not all(name in sheet.columns for name in wanted):
        return  # whoever asked for them says so
    for name in wanted:
        _check(sheet, name, [field.type for field in schema if field.name == name])
    budget = _Budget(sheet)
    budget.claim(claimed(stream, wanted, _VALUE))
    file = _opened(stream, read_dictionary=[path for path in _paths(file) if _is_text_of(path, wanted, schema)])
    row = 0
    for batch in file.iter_batches(_ROWS, columns=wanted, use_threads=False):
        columns = [batch.column(batch.schema.get_field_index(name)) for name in (sheet.input, sheet.label)]
        for column in columns[: len(wanted)]:
            budget.spend(_size(column))
        for found in zip(*(_values(column, sheet.limits.cell_characters) for column in columns), strict=True):
            row += 1
            if any(value is _NOT_UTF8 for value in found):
                sheet.bad(row, "holds a text that is not UTF-8")
            elif any(value is _LONG for value in found):
                most = sheet.limits.cell_characters
                message = f"has a cell of more than {most:,} characters"
                sheet.bad(row, f"{message}; raise dataset.limits.cell_characters to read it")
            else:
                yield row, found[0], found[1]


def _opened(stream: BufferedReader, **options: Any) -> Any:
    from pyarrow import parquet

    stream.seek(0)
    limits = {"thrift_string_size_limit": _STRINGS, "thrift_container_size_limit": _CONTAINERS}
    return parquet.ParquetFile(stream, **limits, **options)


class _Budget:
    """Bytes that may still be decoded."""

    def __init__(self, sheet: Sheet) -> None:
        self.most = self.left = sheet.limits.table_bytes
        self.file = sheet.file

    def claim(self, size: int) -> None:
        """See that what the file says of itself is allowed."""
        if size > self.most:
            raise self._over(f"{size:,} bytes")

    def spend(self, size: int) -> None:
        """Count what was decoded, whatever the file said."""
        self.left -= size
        if self.left < 0:
            raise self._over("more bytes than this")

    def _over(self, size: str) -> _Refused:
        message = f"{self.file} has {size} in its two columns once decoded; raise the limit to read it"
        return _Refused(message, "dataset.limits.table_bytes", self.most)


def _check(sheet: Sheet, name: str, kinds: list[Any]) -> None:
    """See that a column can be read; raises :class:`_Refused`."""
    key = "dataset.input" if name == sheet.input else "dataset.label"
    if len(kinds) > 1:
        raise _Refused(f"{sheet.file} has {len(kinds)} columns of this name; rename all but one", key, name)
    kind = kinds[0]
    if _is_flat(kind) or (name == sheet.label and _is_list(kind) and _is_flat(kind.value_type)):
        return
    shown = str(kind) if len(str(kind)) < 80 else f"{str(kind)[:80]}..."
    expected = "text, numbers or dates, one in each row" + (", or a list of them" if name == sheet.label else "")
    advice = f"expected {expected}; store it as strings, or write {key}=<another column>"
    raise _Refused(f"{sheet.file} has {shown} in this column; {advice}", key, name)


def _is_flat(kind: Any) -> bool:
    """Is it a type of text, numbers or dates, or a dictionary of these?"""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_flat(kind.value_type)
    plain = (types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_temporal)
    return _is_text(kind) or any(test(kind) for test in plain)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_dictionary_of_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_dictionary(kind) and _is_text(kind.value_type))


def _is_text_of(path: str, wanted: list[str], schema: Any) -> bool:
    """Is the column stored at this path one of texts, or of lists of texts, that is wanted?"""
    for name in wanted:
        if path == name or path.startswith(f"{name}."):
            kind = schema.field(name).type
            return _is_text(kind.value_type if _is_list(kind) else kind)
    return False


def _paths(file: Any) -> list[str]:
    """Where each column lies in the file's own schema; the items of a list are a column ``label.list.element``."""
    return [file.schema.column(place).path for place in range(len(file.schema))]


def _size(column: Any) -> int:
    """Bytes of a column's values, once each is a value of its own."""
    import pyarrow
    from pyarrow import compute

    if _is_list(column.type):
        return _VALUE * len(column) + _size(column.flatten())
    if not _is_dictionary_of_text(column.type):
        return _VALUE * len(column) + int(column.nbytes)
    used = column.indices.dictionary_encode()  # of a dictionary that may be large, what these rows have of it
    lengths = compute.binary_length(column.dictionary.take(used.dictionary)).cast(pyarrow.int64())
    return _VALUE * len(column) + int(compute.sum(lengths.take(used.indices)).as_py() or 0)


def _values(column: Any, longest: int) -> Iterator[Any]:
    """A column's values as Python's; texts that come again are one object."""
    import pyarrow

    if not _is_dictionary_of_text(column.type):
        return iter(column.to_pylist())
    used = column.indices.dictionary_encode()
    raw = column.dictionary.take(used.dictionary).cast(pyarrow.large_binary()).to_pylist()
    texts = [None if value is None else _text(value, longest) for value in raw]
    return iter([None if place is None else texts[place] for place in used.indices.to_pylist()])


def _text(raw: bytes, longest: int) -> Any:
    if len(raw) > 4 * longest:  # a character has at most four bytes
        return _LONG
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _NOT_UTF8
    return text if len(text) <= longest else _LONG
