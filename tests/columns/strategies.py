"""What Hypothesis draws of columns and their values."""

from __future__ import annotations

import json
from uuid import uuid4

import numpy as np
from hypothesis import strategies as st

from tlx.columns import Column
from tlx.columns.input_spec import ImageSpec
from tlx.columns.reading import META, Indices, Inspection
from tlx.config.dataset_parts import Limits
from tlx.data import schema_file

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
FEW = st.sampled_from(["red", "Red", "blue", "", "10", "9", "-1", "ä", "²", "zebra"])
FINITE = st.floats(-1e6, 1e6)
ROLES = ("input", "target", *META)
PIXELS = ImageSpec(1, 4, 3, (0.5,), (0.25,))


def chosen(data: st.DataObject, count: int, least: int = 1) -> Indices:
    """Some of so many examples, in order."""
    found = data.draw(st.sets(st.integers(0, count - 1), min_size=least, max_size=count))
    return np.array(sorted(found), dtype=np.int64)


def look() -> Inspection:
    """A look at values that nobody remembers."""
    return Inspection(Limits(), uuid4().hex, lambda i: f"place {i}")


def sorted_as_classes(names: set[str]) -> list[str]:
    """By value where all are whole numbers, else by name."""
    try:
        whole = all(str(int(name)).lstrip("-").isascii() and name.lstrip("-").isdecimal() for name in names)
        whole = whole and all(name.isascii() and "--" not in name for name in names)
    except ValueError:
        whole = False
    return sorted(sorted(names), key=int) if whole else sorted(names)


def back(column: Column) -> Column:
    """The column that JSON makes of its settings."""
    (found,) = schema_file.parsed(json.loads(json.dumps([column.settings()])), {}).columns
    return found
