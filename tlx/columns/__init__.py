"""Columns: the typed fields of an example, one file for each kind."""

from tlx.columns.column import Column
from tlx.columns.image import Image
from tlx.columns.label import Label, Labels
from tlx.columns.number import Category, Number
from tlx.columns.reading import Reader, Reading
from tlx.columns.text import Text

KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Image, Text, Label, Labels, Number, Category)}

__all__ = ["KINDS", "Category", "Column", "Image", "Label", "Labels", "Number", "Reader", "Reading", "Text", "register"]


def register(kind: type[Column]) -> type[Column]:
    """Make a kind of column known by its word, so that ``schema.json`` of a run can be read; as a decorator, too.

    Raises:
        ValueError: The word is taken.
    """
    if KINDS.setdefault(kind.kind, kind) is not kind:
        raise ValueError(f"there is a column of the kind {kind.kind!r} already: {KINDS[kind.kind].__name__}")
    return kind
