"""Files of predictions: CSV, JSON lines, Parquet; written while they are made, whole in the end or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from tlx.columns import Label, Labels, Number
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigError, ConfigIssue
from tlx.files import durable
from tlx.prediction.answers import flat

SUFFIXES = (".csv", ".jsonl", ".parquet")
MARKS = {".csv": ("example,prediction", "example,feature_0"), ".jsonl": ('{"example": ',)}
FACTS = "tlx.identity"  # of the trial, in the metadata of Parquet
_ROWS = 1024  # of Parquet in memory
_JSON = json.JSONEncoder(ensure_ascii=False)


class Writer(Protocol):
    """Takes one answer after the other."""

    def write(self, example: str, answer: Mapping[str, Any]) -> None:
        """Write the answer for an example."""


class Csv:
    """A line of names, then a row for each example; a list in a cell is JSON."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows: csv.DictWriter[str] | None = None

    def write(self, example: str, answer: Mapping[str, Any]) -> None:
        """Write a row."""
        row = {"example": example, **flat(dict(answer))}
        if self._rows is None:
            self._rows = csv.DictWriter(self._stream, list(row), lineterminator="\n")
            self._rows.writeheader()
        if set(row) != set(self._rows.fieldnames):
            raise _differ(sorted(set(row) ^ set(self._rows.fieldnames)))
        cells = {name: _JSON.encode(value) if isinstance(value, (list, dict)) else value for name, value in row.items()}
        self._rows.writerow(cells)


class JsonLines:
    """An object for each example."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, example: str, answer: Mapping[str, Any]) -> None:
        """Write a line."""
        self._write(_JSON.encode({"example": example, **answer}) + "\n")


class Parquet:
    """A column for each field; the trial's identity is in the file's metadata."""

    def __init__(self, path: Path, identity: str, schema: Schema) -> None:
        self._path, self._identity, self._schema = path, identity, schema
        self._rows: list[dict[str, Any]] = []
        self._file: Any = None

    def write(self, example: str, answer: Mapping[str, Any]) -> None:
        """Write a row."""
        self._rows.append({"example": example, **flat(dict(answer))})
        if len(self._rows) == _ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if self._file is None:
            schema = self._settled(pa.Table.from_pylist(self._rows or [{"example": ""}]).schema)
            self._file = parquet.ParquetWriter(self._path, schema.with_metadata({FACTS: self._identity}))
        schema = self._file.schema
        wrong = next((row for row in self._rows if set(row) != set(schema.names)), None)
        if wrong is not None:
            raise _differ(sorted(set(wrong) ^ set(schema.names)))
        try:
            table = pa.Table.from_pylist(self._rows, schema=schema)
        except pa.ArrowException as error:
            raise _differ([str(error).partition("\n")[0]]) from None
        self._file.write_table(table)
        self._rows.clear()

    def _settled(self, found: Any) -> Any:
        """The types of the first rows; where these hold nothing, those of the columns that the model predicts."""
        import pyarrow as pa

        targets = list(self._schema.targets.values())
        names = ["prediction"] if len(targets) == 1 else [f"prediction/{one.name}" for one in targets]
        kinds = {Label: pa.string(), Labels: pa.list_(pa.string()), Number: pa.float64()}
        known = {name: kinds.get(type(one), pa.string()) for name, one in zip(names, targets, strict=True)}

        def of(field: Any) -> Any:
            item = field.type.value_type if pa.types.is_list(field.type) else field.type
            return field.with_type(known.get(field.name, pa.string())) if pa.types.is_null(item) else field

        return pa.schema([of(field) for field in found])


def _differ(what: list[str]) -> ConfigError:
    message = f"the answers differ in their fields ({', '.join(what)[:200]}); write to a .jsonl file"
    return ConfigError([ConfigIssue("--out", message)])


def features(vector: list[float], as_list: bool) -> dict[str, Any]:
    """Features as an answer: one list, or a number for each column."""
    return {"features": vector} if as_list else {f"feature_{i}": value for i, value in enumerate(vector)}


@contextmanager
def writing(path: Path, identity: str, schema: Schema) -> Iterator[Writer]:
    """Write a file of predictions, whole or not at all.

    Args:
        path: Its suffix, one of :data:`SUFFIXES`, says which kind.
        identity: Of the trial.
        schema: Of the model; it says of which types predictions are.
    """
    with durable.replacing(path) as partial:
        if path.suffix.lower() == ".parquet":
            table = Parquet(partial, identity, schema)
            yield table
            table.close()
            return
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield Csv(stream) if path.suffix.lower() == ".csv" else JsonLines(stream.write)


def is_own_parquet(path: Path) -> bool:
    """Is it a Parquet file that :func:`writing` wrote?"""
    import pyarrow
    from pyarrow import parquet

    from tlx.files import foreign

    try:
        with foreign.reading(path) as stream:
            return FACTS.encode() in (parquet.read_schema(stream).metadata or {})
    except (OSError, ValueError, pyarrow.ArrowException):
        return False
