"""Examples of a Python program: written once into the cache, under a hash of what they are, and read from there.

So every process has them: those of a sweep, a repetition, a trial that goes on after an interruption. One Parquet file
holds a column for each field, images as the bytes of ``.npy`` files, and the split of each example where it is given.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from tlx.columns import KINDS, Column
from tlx.config import dataset_parts as options
from tlx.config.cache import cache_folder, cache_root
from tlx.config.dataset import Objects
from tlx.config.errors import ConfigIssue, DataError
from tlx.data.fingerprint import of_text
from tlx.data.source import Source
from tlx.files import durable, regular

FORMAT = 1
SPLITS = ("train", "val", "test")
_FOLDER, _OF, _SPLIT, _META = "objects", "column:", "split", b"tlx"
_STORED = {"image": pyarrow.large_binary(), "number": pyarrow.float64(), "labels": pyarrow.list_(pyarrow.string())}
_KNOWN = pyarrow.map_(pyarrow.string(), pyarrow.bool_())  # labels of which some are unknown
_AGAIN = "call tlx.dataset_from with the same data again"


@dataclass(frozen=True)
class Given:
    """Examples in their canonical form.

    Args:
        columns: The type and role of each field.
        values: Of each field, as many: arrays of images, texts, names of classes, tuples of them, numbers; of labels
            that are known in part, mappings from names to true, false or None.
        splits: Of each example, where they are given; None: they are cut.
    """

    columns: Mapping[str, options.Column]
    values: Mapping[str, Sequence[Any]]
    splits: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))

    @property
    def described(self) -> str:
        """What the fields are, in whatever order somebody named them."""
        columns = [[name, one.type, one.role] for name, one in sorted(self.columns.items())]
        return json.dumps({"format": FORMAT, "columns": columns, "examples": len(self)})

    def content(self) -> str:
        """A hash of the fields, of every value and of the splits."""
        found = hashlib.sha256(self.described.encode())
        for name, column in sorted(self.columns.items()):
            for value in self.values[name]:
                for part in _bytes(value, column.type):
                    found.update(len(part).to_bytes(8, "little"))
                    found.update(part)
        for split in self.splits or ():
            found.update(split.encode() + b"\n")
        return found.hexdigest()


def write(given: Given) -> str:
    """Keep examples in the cache, where they are not there yet; returns their hash.

    Raises:
        ConfigError: The cache would lie in a folder that tlx did not make.
        OSError: The disk refuses.
    """
    content = given.content()
    path = cache_folder(_FOLDER) / f"{content}.parquet"
    if not path.is_file():
        columns = {f"{_OF}{name}": _stored(given.values[name], one.type) for name, one in sorted(given.columns.items())}
        if given.splits is not None:
            columns[_SPLIT] = pyarrow.array(given.splits, pyarrow.string())
        table = pyarrow.table(columns).replace_schema_metadata({_META: given.described.encode()})
        with durable.replacing(path) as partial:
            parquet.write_table(table, partial, compression="zstd", use_dictionary=False)
    return content


def fingerprint(config: Objects) -> str:
    """Of what the hash stands for."""
    return of_text(f"objects:{config.content}")


def load(config: Objects) -> Source:
    """The examples of a hash; raises :class:`DataError` where they are not there, or are not what was written."""
    given = read(config)
    columns = [_column(name, one) for name, one in sorted(given.columns.items())]
    rows = {column.name: _together(given.values[column.name], column.kind) for column in columns}
    splits: dict[str, Any] = {}
    if given.splits is not None:
        words = np.asarray(given.splits)
        splits = {name: np.flatnonzero(words == name) for name in SPLITS if (words == name).any()}
    said = ", ".join(f"{name} ({one.type})" for name, one in sorted(given.columns.items()))
    return Source(columns, rows, splits, lambda i: f"{config.name}[{i}]", [f"columns: {said}"])


def read(config: Objects) -> Given:
    """The examples of a hash, in their canonical form; raises as :func:`load` does."""
    key = "dataset.content"
    if not re.fullmatch("[0-9a-f]{64}", config.content):
        message = "expected the hash that tlx.dataset_from gives; from Python: dataset=tlx.dataset_from(...)"
        raise DataError([ConfigIssue(key, message, config.content)])
    path = cache_root() / _FOLDER / f"{config.content}.parquet"
    try:
        given = _read(path)
    except FileNotFoundError:
        message = f"its examples are not in the cache ({path.parent}); {_AGAIN}, or set TLX_CACHE to where they are"
        raise DataError([ConfigIssue(key, message, config.content)]) from None
    except (OSError, pyarrow.ArrowException, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = regular.reason(error) if isinstance(error, OSError) else str(error).partition("\n")[0]
        raise DataError([ConfigIssue(key, f"{path} cannot be read ({reason}); remove it, and {_AGAIN}")]) from error
    if given.content() != config.content:
        raise DataError([ConfigIssue(key, f"{path} was altered; remove it, and {_AGAIN}")])
    return given


def _read(path: Path) -> Given:
    with regular.opened(path) as stream:
        table = parquet.read_table(stream)
    described = json.loads(table.schema.metadata[_META])
    columns = {name: options.Column(type=kind, role=role) for name, kind, role in described["columns"]}
    values = {name: _values(table[f"{_OF}{name}"], one.type) for name, one in columns.items()}
    return Given(columns, values, table[_SPLIT].to_pylist() if _SPLIT in table.column_names else None)


def _stored(values: Sequence[Any], kind: str) -> Any:
    if kind == "image":
        values = [_npy(value) for value in values]
    if kind == "labels" and any(isinstance(value, Mapping) for value in values):
        return pyarrow.array([list(value.items()) for value in values], _KNOWN)
    return pyarrow.array(list(values), _STORED.get(kind, pyarrow.string()))


def _values(column: Any, kind: str) -> list[Any]:
    found: list[Any] = column.to_pylist()
    if kind == "image":
        return [np.load(io.BytesIO(value), allow_pickle=False) for value in found]
    if kind == "labels":
        return [dict(value) if pyarrow.types.is_map(column.type) else tuple(value) for value in found]
    return found


def _npy(value: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, value, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _bytes(value: Any, kind: str) -> Iterator[bytes]:
    """The parts of a value that make it what it is."""
    if kind == "image":
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif kind == "number":
        yield np.float64(value).tobytes()
    elif kind == "labels" and isinstance(value, Mapping):
        yield f"of {len(value)}".encode()
        for name, there in sorted(value.items()):
            yield name.encode()
            yield b"unknown" if there is None else str(there).encode()
    elif kind == "labels":
        yield str(len(value)).encode()
        yield from (name.encode() for name in value)
    else:
        yield value.encode()


def _column(name: str, one: options.Column) -> Column:
    return KINDS[one.type](name, role=one.role)  # type: ignore[arg-type]


def _together(values: Sequence[Any], kind: str) -> Any:
    """Images of one shape and type as one array, numbers as well; others as they are."""
    if kind == "number":
        return np.asarray(values, dtype=np.float64)
    if kind == "image" and len({(value.shape, value.dtype) for value in values}) == 1:
        return np.stack(values)
    if kind == "labels":
        return [value if isinstance(value, Mapping) else frozenset(value) for value in values]
    return list(values)
