"""A table's columns are called as the trial's own file called them, or as the model does; which, is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tlx
from tlx.columns import Column, Text
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigError
from tlx.prediction.tables import Table


def opened(folder: Path, of: dict[str, str], row: dict[str, str], suffix: str = "csv") -> tuple[Any, list[str]]:
    """The first row by the model's columns ``of``, each with the file's own name for it, and notes."""
    columns = {name: {"type": "text", "column": theirs} for name, theirs in of.items()}
    (folder / "own.csv").write_text("x,label\na,b\n")
    words = f"backbone=narrow_bert strategy=scratch dataset=csv dataset.file={folder / 'own.csv'}"
    trial = tlx.compose(words, {"dataset.columns": {**columns, "label": {"type": "label"}}})
    file = folder / f"rows.{suffix}"
    as_csv = "\n".join(map(",".join, (row, row.values()))) + "\n"
    file.write_text(as_csv if suffix == "csv" else json.dumps(row) + "\n")
    inputs: dict[str, Column] = {name: Text(name) for name in of}
    table = Table(file, trial, inputs, Limits())
    ((_, found),) = table.examples()
    return found, table.notes


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_declared_names_come_first(folder: Path, suffix: str) -> None:
    both = {"text": "raw", "clean": "tidy"}
    found, notes = opened(folder, {"text": "clean"}, both, suffix)
    assert found == {"text": "tidy"}
    assert "'text' from 'clean'" in notes[0]
    for row in ({"text": "tidy"}, {"clean": "tidy"}):
        assert opened(folder, {"text": "clean"}, row, suffix) == ({"text": "tidy"}, [])


def test_names_are_taken_together(folder: Path) -> None:
    """A file with the model's own names, one of which was another column's name in the trial's file."""
    found, _ = opened(folder, {"x": "y", "y": "z"}, {"x": "1", "y": "2"})
    assert found == {"x": "1", "y": "2"}
    found, _ = opened(folder, {"x": "y", "y": "x"}, {"x": "1", "y": "2"})
    assert found == {"x": "2", "y": "1"}


def test_two_columns_of_one(folder: Path) -> None:
    found, _ = opened(folder, {"a": "text", "b": "text"}, {"text": "one"})
    assert found == {"a": "one", "b": "one"}
    with pytest.raises(ConfigError, match="did you mean txt"):
        opened(folder, {"a": "text", "b": "text"}, {"txt": "one"})
