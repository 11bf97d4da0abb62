"""Rows of Parquet, a few at a time: a small file may hold a few long texts a million times.

Texts are read as a dictionary and places in it, which together are no larger than what is distinct. Their bytes are
counted, each as often as it comes, before any of them becomes a text of Python's.
"""

from __future__ import annotations

from io import BufferedReader
from typing import Any

from tlx.data.sources.budget import VALUE, Budget
from tlx.data.sources.parquet_footer import claimed
from tlx.data.sources.sheet import Refused, RowIterator, Sheet, shortened
from tlx.files import regular

_ROWS, _FEWEST = 4096, 256  # decoded at once: of few columns, of very many
_STRINGS, _CONTAINERS = 64 << 20, 1_000_000  # of the file's own description: bytes of a string, items of a list
_NOT_UTF8, _LONG = object(), object()  # stand for a text that cannot be read


def read(sheet: Sheet) -> RowIterator:
    """The wanted columns of every row; whatever keeps them from being read is one problem in ``sheet``.

    Raises:
        Refused: A column cannot be read, or the file holds too much.
    """
    import pyarrow

    try:
        with regular.opened(sheet.file) as stream:
            yield from _rows(sheet, stream)
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
    kinds: dict[str, list[Any]] = {}
    for one in schema:
        kinds.setdefault(one.name, []).append(one.type)
    if sheet.wanted is None:
        _take_all(sheet, kinds)
    else:
        sheet.see(schema.names)
        if not all(name in sheet.columns for name in sheet.wanted):
            return  # whoever asked for them says so
        for name in sheet.wanted:
            _check(sheet, name, kinds[name])
    names = sheet.names
    budget = Budget(sheet, len(names))
    budget.claim(claimed(stream, names, VALUE))
    texts = {name for name in names if _is_text(_item(kinds[name][0]))}
    file = _opened(stream, read_dictionary=[path for path in _paths(file) if _is_below(path, texts)])
    row = 0
    rows = min(_ROWS, max(_FEWEST, 2 * _ROWS // len(names)))
    for batch in file.iter_batches(rows, columns=names, use_threads=False):
        columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
        for column in columns:
            budget.spend(_size(column))
        cells = [_values(column, sheet.limits.cell_characters) for column in columns]
        suspects = [place for place, (_, broken) in enumerate(cells) if broken]
        for found in zip(*(values for values, _ in cells), strict=True):
            row += 1
            fault = _fault([found[place] for place in suspects], sheet) if suspects else ""
            if fault:
                sheet.bad(row, fault)
            else:
                yield row, found


def _take_all(sheet: Sheet, kinds: dict[str, list[Any]]) -> None:
    """See every column that can be read, and leave out the others; raises :class:`Refused`."""
    for name, found in kinds.items():
        if len(found) > 1:
            raise Refused(f"has {len(found)} columns of the name {shortened(name)!r}; rename all but one")
        if _is_flat(found[0]) or (name in sheet.lists and _is_list(found[0]) and _is_flat(found[0].value_type)):
            sheet.see([name])
        else:
            sheet.left_out.append(f"{name} ({shortened(str(found[0]))})")
    if not sheet.columns:
        raise Refused("has no column of text, numbers or dates")


def _fault(cells: list[Any], sheet: Sheet) -> str:
    """Why a row cannot be read; empty when it can."""
    if any(cell is _NOT_UTF8 for cell in cells):
        return "holds a text that is not UTF-8"
    if any(cell is _LONG for cell in cells):
        message = f"has a cell of more than {sheet.limits.cell_characters:,} characters"
        return f"{message}; raise dataset.limits.cell_characters to read it"
    return ""


def _opened(stream: BufferedReader, **options: Any) -> Any:
    from pyarrow import parquet

    stream.seek(0)
    limits = {"thrift_string_size_limit": _STRINGS, "thrift_container_size_limit": _CONTAINERS}
    return parquet.ParquetFile(stream, **limits, **options)


def _check(sheet: Sheet, name: str, kinds: list[Any]) -> None:
    """See that a column can be read; raises :class:`Refused`."""
    key = sheet.option(name)
    lists = name in sheet.lists
    if len(kinds) > 1:
        raise Refused(f"{sheet.file} has {len(kinds)} columns of this name; rename all but one", key, name)
    kind = kinds[0]
    if _is_flat(kind) or (lists and _is_list(kind) and _is_flat(kind.value_type)):
        return
    expected = "text, numbers or dates, one in each row" + (", or a list of them" if lists else "")
    advice = f"expected {expected}; store it as strings, or write {key}=<another column>"
    raise Refused(f"{sheet.file} has {shortened(str(kind))} in this column; {advice}", key, name)


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


def _item(kind: Any) -> Any:
    """The type of a list's items, or the type itself."""
    return kind.value_type if _is_list(kind) else kind


def _is_below(path: str, names: set[str]) -> bool:
    """Is what is stored at this path, such as ``label.list.element``, one of these columns?"""
    parts = path.split(".")  # a name may have dots of its own
    return any(".".join(parts[:count]) in names for count in range(1, len(parts) + 1))


def _paths(file: Any) -> list[str]:
    """Where each column lies in the file's own schema; the items of a list are a column ``label.list.element``."""
    return [file.schema.column(place).path for place in range(len(file.schema))]


def _size(column: Any) -> int:
    """Bytes of a column's values, once each is a value of its own."""
    import pyarrow
    from pyarrow import compute

    if _is_list(column.type):
        return VALUE * len(column) + _size(column.flatten())
    if not _is_dictionary_of_text(column.type):
        return VALUE * len(column) + int(column.nbytes)
    used = column.indices.dictionary_encode()  # of a dictionary that may be large, what these rows have of it
    lengths = compute.binary_length(column.dictionary.take(used.dictionary)).cast(pyarrow.int64())
    return VALUE * len(column) + int(compute.sum(lengths.take(used.indices)).as_py() or 0)


def _values(column: Any, longest: int) -> tuple[list[Any], bool]:
    """A column's values as Python's, and whether one cannot be read; texts that come again are one object."""
    import pyarrow

    if not _is_dictionary_of_text(column.type):
        return column.to_pylist(), False
    used = column.indices.dictionary_encode()
    raw = column.dictionary.take(used.dictionary).cast(pyarrow.large_binary()).to_pylist()
    texts = [None if value is None else _text(value, longest) for value in raw]
    values = [None if place is None else texts[place] for place in used.indices.to_pylist()]
    return values, any(text is _NOT_UTF8 or text is _LONG for text in texts)


def _text(raw: bytes, longest: int) -> Any:
    if len(raw) > 4 * longest:  # a character has at most four bytes
        return _LONG
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _NOT_UTF8
    return text if len(text) <= longest else _LONG
