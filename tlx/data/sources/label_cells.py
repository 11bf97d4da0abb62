"""Labels of a row in one cell: the name of a class, several with a separator between them, or a list of names."""

from __future__ import annotations

from typing import Any

from tlx.data.sources.rows import word

_SHOWN = 40  # characters of a cell in a message


def fault(cell: Any, column: str, several: bool) -> str:
    """Why a cell is no label, or are no labels; empty where it is.

    Args:
        cell: As the file gives it.
        column: What its column is called.
        several: May it be several labels, or none?
    """
    if isinstance(cell, list):
        if not several:
            return (
                f"{column!r} is a list; for several labels set dataset.label_separator, or declare it as type: labels"
            )
        wrong = [item for item in cell if _is_no_name(item)]
        return f"an item of {column!r} is no name of a class: {_kind(wrong[0])}" if wrong else ""
    if isinstance(cell, dict):
        return f"{column!r} is no name of a class: {_kind(cell)}"
    text = word(cell)
    return f"no label in {column!r}" if text is None or (not several and not text) else ""


def names(cell: Any, separator: str | None) -> frozenset[str]:
    """The classes of a cell without a fault; each item of a list is one, written as a cell of its own would be."""
    if isinstance(cell, list):
        found = [str(word(item)) for item in cell]
    else:
        text = str(word(cell))
        found = [part.strip() for part in text.split(separator)] if separator else [text]
    return frozenset(name for name in found if name)


def _is_no_name(item: Any) -> bool:
    return isinstance(item, (list, dict)) or word(item) is None


def _kind(item: Any) -> str:
    if isinstance(item, (list, dict)):
        return f"{'a list' if isinstance(item, list) else 'an object'}, {str(item)[:_SHOWN]}"
    return "null"
