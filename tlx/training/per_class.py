"""The tables of each class that a task makes of recorded predictions, written beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tlx.files import durable, foreign
from tlx.reports import confusion
from tlx.runs import layout
from tlx.tasks.per_class import ClassScores, Pair, as_csv
from tlx.tasks.protocol import TabulatedTask, Task


def write(folder: Path, task: Task, targets: Mapping[str, Tensor]) -> None:
    """Write what there is to say of each class; nothing where the task has none.

    Args:
        folder: With the predictions.
        task: That made them.
        targets: Of the examples that were predicted, in their order.
    """
    if not isinstance(task, TabulatedTask):
        return
    found = task.tables(_records(folder / layout.PREDICTIONS), targets)
    _write(folder / layout.PER_CLASS, as_csv(found.scores, ClassScores))
    if found.pairs is not None:
        _write(folder / layout.CONFUSION, as_csv(found.pairs, Pair))
        names = [one.label for one in found.scores]
        cells = ((one.label, one.prediction, one.examples) for one in found.pairs)
        _write(folder / layout.CONFUSION_FIGURE, confusion.draw(names, cells))


def _write(path: Path, text: str) -> None:
    durable.write(path, text.encode(errors="backslashreplace"))  # a name from a file may hold half a letter


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with foreign.reading(path) as stream:
        for line in stream:
            yield json.loads(line)
