"""The body of a request, in the formats of MLflow's scoring server: checked before it is parsed, parsed once.

JSON is an object with one of ``dataframe_records``, ``dataframe_split``, ``instances`` and ``inputs``; CSV has a line
of names first. Parquet is not read: its files say themselves how large they become.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tlx.serving import inputs
from tlx.serving.inputs import InvalidInput, shortened
from tlx.serving.limits import Limits

JSON, CSV = "application/json", "text/csv"
# Possessive: a string is passed over in one go, whatever is escaped in it, and one without an end as well.
_JSON_PARTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]|[,:]', re.DOTALL)
_CSV_PARTS = re.compile(rb'(?<![^,\r\n])"[^"]*+(?:""[^"]*+)*+"?|[,\r\n]')  # a quote opens a cell at its start alone
_LIMIT = threading.Lock()


class Unsupported(ValueError):
    """A type of content that is not read; the message says which are."""


def kind(content_type: str | None) -> str:
    """The media type of a request's ``Content-Type``; raises :class:`Unsupported`."""
    words = [word.strip() for word in (content_type or "").split(";")]
    media, options = words[0].lower(), [word.lower() for word in words[1:] if word]
    if media not in (JSON, CSV):
        raise Unsupported(f"expected Content-Type {JSON} or {CSV}, found {shortened(media) or 'none'}")
    for word in options:
        name, _, value = word.partition("=")
        if name.strip() != "charset" or value.strip(' "') not in ("utf-8", "utf8"):
            raise Unsupported(f"expected charset=utf-8 or nothing after {media}, found {shortened(word)}")
    return media


Names = Sequence[str]
Row = dict[str, Any]


def rows(content: bytes, media: str, names: Names, limits: Limits) -> list[Row]:
    """The inputs that a body holds.

    Args:
        content: The whole body.
        media: Its type, of :func:`kind`.
        names: What the columns of the inputs are called.
        limits: Of this server.

    Returns:
        Each row by column; whether its values are inputs is not known yet.

    Raises:
        InvalidInput: It is no such table.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\0" in content:  # neither format has it, and json would take it for UTF-16
        raise InvalidInput("the body holds a zero byte")
    try:
        letters = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8 at byte {error.start}") from None
    if media == CSV:
        return _csv(content, letters, names, limits)
    _check_json(content, limits)
    return _rows(_json(letters), names)


def _check_json(content: bytes, limits: Limits) -> None:
    """See that a parser would neither recurse too deep nor make too many objects."""
    depth = count = 0
    for part in _JSON_PARTS.finditer(content):
        letter = content[part.start()]
        if letter == 0x22:  # a string
            continue
        count += 1
        if letter in b"[{":
            depth += 1
        elif letter in b"]}":
            depth -= 1
        if depth > limits.depth:
            raise InvalidInput(f"the JSON is nested more than {limits.depth} deep")
        if count > limits.values:
            raise InvalidInput(f"the JSON holds more than {limits.values:,} values")


def _json(letters: str) -> Any:
    try:
        return json.loads(letters, object_pairs_hook=_object)
    except InvalidInput:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: an integer of too many digits, too
        raise InvalidInput(f"not JSON: {shortened(str(error).splitlines()[0], 120)}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f"a name is there twice: {shortened(name)!r}")
        found[name] = value
    return found


def _rows(found: Any, names: Names) -> list[Row]:
    """The rows of a parsed request."""
    if not isinstance(found, dict):
        raise InvalidInput(f"expected a JSON object with {_one_of()}, found {_kind(found)}")
    there = [name for name in found if name in _FORMATS]
    unknown = [name for name in found if name not in _FORMATS and name != "params"]
    if len(there) != 1 or unknown:
        shown = ", ".join(repr(shortened(name)) for name in list(found)[:10]) or "nothing"
        raise InvalidInput(f"expected {_one_of()}, and nothing else; found {shown}")
    if found.get("params"):
        raise InvalidInput("the model takes no params")
    return _FORMATS[there[0]](found[there[0]], names)


def _records(found: Any, names: Names) -> list[Row]:
    return inputs.checked(_listed(found, "dataframe_records"), lambda row: _object_of(row, names))


def _split(found: Any, names: Names) -> list[Row]:
    if not isinstance(found, dict) or not {"columns", "data"} <= found.keys() <= {"columns", "data", "index"}:
        raise InvalidInput(f"dataframe_split: expected an object with columns and data, found {_kind(found)}")
    columns = [_name(one) for one in _listed(found["columns"], "dataframe_split: columns")]
    inputs.columns(columns, names)
    data = _listed(found["data"], "dataframe_split: data")
    if "index" in found and len(_listed(found["index"], "dataframe_split: index")) != len(data):
        raise InvalidInput(f"dataframe_split: index has {len(found['index'])} entries for {len(data)} rows")
    return inputs.checked(data, lambda row: _by_name(row, columns))


def _instances(found: Any, names: Names) -> list[Row]:
    """A list of objects by column; of a model with one column, of values as well."""
    return inputs.checked(_listed(found, "instances"), lambda row: _instance(row, names))


def _instance(row: Any, names: Names) -> Row:
    if isinstance(row, dict) or len(names) > 1:
        return _object_of(row, names)
    return {names[0]: row}


def _inputs(found: Any, names: Names) -> list[Row]:
    """Columns: a list of values by each name, or one value; of a model with one column, the values alone."""
    if not isinstance(found, dict):
        return [{names[0]: found}] if isinstance(found, str) and len(names) == 1 else _instances(found, names)
    inputs.columns(list(found), names)
    if not any(isinstance(value, list) for value in found.values()):  # one row
        return [found]
    columns = {name: _listed(value, f"inputs: {shortened(name)}") for name, value in found.items()}
    lengths = {len(value) for value in columns.values()}
    if len(lengths) > 1:
        raise InvalidInput(f"inputs: expected as many values in each column, found {sorted(lengths)[:10]}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


_FORMATS: dict[str, Callable[[Any, Names], list[Row]]] = {
    "dataframe_records": _records,
    "dataframe_split": _split,
    "instances": _instances,
    "inputs": _inputs,
}


def _object_of(row: Any, names: Names) -> Row:
    if not isinstance(row, dict):
        wanted = ", ".join(repr(shortened(name)) for name in names[:10])
        raise InvalidInput(f"expected an object with {wanted}, found {_kind(row)}")
    inputs.columns(list(row), names)
    return row


def _by_name(row: Any, names: Names) -> Row:
    if not isinstance(row, list) or len(row) != len(names):
        wanted = "one value" if len(names) == 1 else f"{len(names)} values"
        raise InvalidInput(f"expected a list of {wanted}, found {_kind(row)}")
    return dict(zip(names, row, strict=True))


def _name(found: Any) -> str:
    if not isinstance(found, str):
        raise InvalidInput(f"dataframe_split: columns: expected names, found {_kind(found)}")
    return found


def _listed(found: Any, what: str) -> list[Any]:
    if not isinstance(found, list):
        raise InvalidInput(f"{what}: expected a list, found {_kind(found)}")
    return found


def _kind(found: Any) -> str:
    """What a value is called in JSON."""
    if isinstance(found, (list, dict)):
        return f"{'a list' if isinstance(found, list) else 'an object'} of {len(found)}"
    return {str: "a string", bool: "true or false", type(None): "null"}.get(type(found), "a number")


def _one_of() -> str:
    return f"one of {', '.join(_FORMATS)}"


def _csv(content: bytes, letters: str, names: Names, limits: Limits) -> list[Row]:
    """The rows of a CSV."""
    if sum(1 for part in _CSV_PARTS.finditer(content) if content[part.start()] != 0x22) > limits.values:
        raise InvalidInput(f"the CSV holds more than {limits.values:,} commas and line ends outside of quotes")
    found = [row for row in _cells(io.StringIO(letters, newline=""), limits) if row]
    if not found:
        raise InvalidInput("the CSV is empty; expected a line of names, then rows")
    header = found[0]
    inputs.columns(header, names)
    return inputs.checked(found[1:], lambda row: _by_name(row, header))


def _cells(lines: Iterable[str], limits: Limits) -> list[list[str]]:
    with _LIMIT:  # of a cell's letters, which the module keeps for the whole process
        before = csv.field_size_limit(limits.bytes)
        try:
            return list(csv.reader(lines, strict=True))
        except csv.Error as error:
            raise InvalidInput(f"not CSV: {error}") from None
        finally:
            csv.field_size_limit(before)
