"""What a bundle says about its model beside the configuration: the columns, and what the weights' hash is."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlx.columns import Category, Column, Image, Label, Labels, Number, Text
from tlx.columns.schema import Schema
from tlx.data.schema_file import parsed
from tlx.files import durable, foreign
from tlx.serving import image_facts

FILE = "model.json"
_LARGEST = 16 << 20
_INPUTS = (Image, Text, Number, Category)
_MOST_CLASSES, _LONGEST_NAME = 100_000, 10_000


@dataclass(frozen=True)
class Facts:
    """The content of the file; ``sum`` is the hash of the tensors, ``identity`` the trial's."""

    columns: list[dict[str, Any]]
    counts: dict[str, int]
    sum: str
    identity: str


def write(folder: Path, schema: Schema, sum_: str, identity: str) -> None:
    """Put the facts into a bundle."""
    facts = {"columns": schema.settings(), "counts": dict(schema.counts), "sum": sum_, "identity": identity}
    durable.write(folder / FILE, json.dumps(facts, indent=1))


def read(folder: Path) -> tuple[Schema, str, str]:
    """What the model must know about its data, the hash of its tensors, and the identity of its trial.

    Raises:
        FileNotFoundError: There is none.
        foreign.Unreadable: It is not what tlx writes; the message says why.
    """
    found = foreign.json_file(folder / FILE, Facts, _LARGEST)
    schema = parsed(found["columns"], found["counts"])
    if fault := serves(schema):
        raise foreign.Unreadable(fault)
    for column in schema.columns:
        if fault := _fault(column):
            raise foreign.Unreadable(fault)
    if min(schema.counts.values(), default=0) < 0:
        raise foreign.Unreadable("expected numbers of examples from 0 on")
    if not re.fullmatch("[0-9a-f]{32}", found["sum"]):
        raise foreign.Unreadable("expected a hash of 32 hexadecimal digits as sum")
    return schema, found["sum"], found["identity"]


def serves(schema: Schema) -> str:
    """Why a model of these columns cannot answer; empty where it can."""
    others = [f"{name!r} ({column.kind})" for name, column in schema.inputs.items() if not isinstance(column, _INPUTS)]
    if others or not schema.inputs:
        there = ", ".join(others) or "none"
        return f"a model that answers reads images, texts, numbers and categories; among its inputs is {there}"
    if not schema.targets or not all(isinstance(one, (Label, Labels, Number)) for one in schema.targets.values()):
        return "expected a target of labels or numbers"
    return ""


def _fault(column: Column) -> str:
    """Why a column is none that tlx writes."""
    if len(column.name) > _LONGEST_NAME or not _is_text(column.name):
        return f"expected names of columns of at most {_LONGEST_NAME:,} letters in UTF-8"
    if isinstance(column, (Label, Labels)):
        classes = column.classes
        if not 1 <= len(classes) <= _MOST_CLASSES or len(set(classes)) != len(classes):
            return f"expected 1 to {_MOST_CLASSES:,} classes with names of their own"
        if any(len(name) > _LONGEST_NAME or not _is_text(name) for name in classes):
            return f"expected names of classes of at most {_LONGEST_NAME:,} letters in UTF-8"
    if isinstance(column, Category) and any(
        len(name) > _LONGEST_NAME or not _is_text(name) for name in column.categories
    ):
        return f"expected categories of at most {_LONGEST_NAME:,} letters in UTF-8"
    if isinstance(column, Image) and (fault := image_facts.fault(column)):
        return fault
    if isinstance(column, Number) and not (math.isfinite(column.mean) and 0 < column.deviation < math.inf):
        return f"expected a mean and a deviation above 0 of {column.name!r}"
    return ""


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half a letter, which no answer can hold
        return False
    return True
