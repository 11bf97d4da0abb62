"""``schema.json`` of a run folder: the columns of its data, with what they learned from train."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tlx.columns import KINDS, Column, Image
from tlx.columns.image_faults import MOST_CHANNELS
from tlx.columns.reading import Role
from tlx.columns.schema import Schema
from tlx.config.errors import ConfigIssue, WeightsError
from tlx.files import durable, foreign
from tlx.runs.layout import SCHEMA as FILE

_LARGEST = 16 << 20
# What runs that were trained before do not say; the defaults read their images as they did.
_ADDED = {"image": {field.name for field in fields(Image)} - {"name", "role", "channels"}}
_MOST_WORDS = 100_000  # a network is built as large as a stranger's file says


def write(folder: Path, schema: Schema) -> None:
    """Write the columns; the rename makes it all or nothing."""
    durable.write(folder / FILE, json.dumps({"columns": schema.settings(), "counts": dict(schema.counts)}, indent=1))


def read(folder: Path) -> Schema:
    """The columns of a run.

    Raises:
        WeightsError: There is no such file, or it is not what was written.
    """
    try:
        found = foreign.json_file(folder / FILE, dict[str, Any], _LARGEST)
        return parsed(found["columns"], found["counts"])
    except (FileNotFoundError, foreign.Unreadable, KeyError) as error:
        message = f"cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}; train it again"
        raise WeightsError([ConfigIssue(FILE, message, folder)]) from error


def parsed(columns: Any, counts: Any) -> Schema:
    """A schema from what JSON has of it; raises :class:`foreign.Unreadable` for anything else than tlx writes."""
    if not isinstance(columns, list) or not foreign.conforms(counts, dict[str, int]):
        raise foreign.Unreadable("expected a list of columns, and numbers of examples")
    found = tuple(_column(one) for one in columns)
    if len({column.name for column in found}) < len(found):
        raise foreign.Unreadable("expected a name of its own for each column")
    return Schema(found, counts)


def _column(settings: Any) -> Column:
    if not isinstance(settings, Mapping) or str(settings.get("kind")) not in KINDS:
        raise foreign.Unreadable(f"expected a column of one of the kinds {', '.join(KINDS)}")
    kind = KINDS[str(settings["kind"])]
    known = {field.name: field for field in fields(kind)}
    given = {name: value for name, value in settings.items() if name != "kind"}
    if not set(known) - _ADDED.get(kind.kind, set()) <= set(given) <= set(known):
        raise foreign.Unreadable(f"expected {', '.join(known)} of a {kind.kind}, found {', '.join(map(str, given))}")
    wanted = {"str": str, "Role": Role, "int": int, "float": float, "bool": bool, "tuple[str, ...]": list[str]}
    wanted |= {"tuple[int, ...]": list[int], "tuple[float, ...]": list[float]}
    for name, value in given.items():
        if not foreign.conforms(value, wanted[str(known[name].type)]):
            raise foreign.Unreadable(f"{name} of a {kind.kind} is no {known[name].type}")
    words = max((len(value) for value in given.values() if isinstance(value, list)), default=0)
    if words > _MOST_WORDS or not 0 <= given.get("channels", 0) <= MOST_CHANNELS:
        raise foreign.Unreadable(
            f"expected at most {_MOST_WORDS:,} words and {MOST_CHANNELS:,} channels of a {kind.kind}"
        )
    settled: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    return kind(**settled)
