"""Columns: the typed fields of an example, one file for each kind."""

from tlx.columns.column import Column
from tlx.columns.image import Image
from tlx.columns.label import Label, Labels
from tlx.columns.number import Category, Number
from tlx.columns.reading import Reader, Reading
from tlx.columns.text import Text

KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Image, Text, Label, Labels, Number, Category)}

__all__ = ["KINDS", "Category", "Column", "Image", "Label", "Labels", "Number", "Reader", "Reading", "Text"]
