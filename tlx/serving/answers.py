"""A model that answers strangers: within limits, one request at a time, and only with numbers."""

from __future__ import annotations

import logging
import math
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tlx.columns import Category, Column, Image, Text
from tlx.columns.batch import Batch
from tlx.columns.input_spec import ImageSpec
from tlx.prediction.model import Model
from tlx.prediction.odd_values import OddValues
from tlx.prediction.values import canonical
from tlx.serving import inputs
from tlx.serving.inputs import InvalidInput, Picture
from tlx.serving.limits import Limits

_log = logging.getLogger(__name__)
_BATCH = 32  # inputs that go through the network together, whatever the trial took: a stranger chooses how many come


class Answerer:
    """Turns the rows that were sent into answers; every refusal is one :class:`InvalidInput`."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.limits = limits
        self.columns: dict[str, Column] = model.inputs
        self._model = model
        self._most = inputs.drawing(limits)
        self._alone = threading.Lock()  # one request's pictures in memory, and the network's threads for one

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the task says of each row: ``prediction``, of classes ``probabilities``.

        Args:
            rows: By column: images in base64 or as nested lists, texts, numbers, words.

        Returns:
            One answer per row, in order.

        Raises:
            InvalidInput: Rows are none of these, the request is over the limits, or the network gives no numbers.
        """
        self._count(rows)
        with self._alone:
            looked = inputs.checked(rows, self._look)
            self._bound(looked)
            odd = OddValues()
            with _folder(looked) as folder:
                prepared = inputs.checked(looked, lambda row: self._prepared(row, odd, folder))
            found: list[dict[str, Any]] = []
            for start in range(0, len(prepared), _BATCH):
                part = prepared[start : start + _BATCH]
                found += self._model.answer(Batch(torch.arange(len(part)), self._model.collate(part)))
        for line in odd.lines():
            _log.warning("%s", line)
        inputs.checked(found, _numbers)
        return found

    def _count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if len(rows) > self.limits.rows:
            raise InvalidInput(f"{len(rows):,} rows; at most {self.limits.rows:,} are answered at once")
        size = sum(len(value) for row in rows for value in row.values() if isinstance(value, (str, bytes)))
        if size > self.limits.bytes:
            raise InvalidInput(f"{size:,} bytes; at most {self.limits.bytes:,} are read at once")

    def _look(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row, pictures by their headers alone, as these say what the rest would cost."""
        return inputs.of_row(row, self._look_at, self.columns)

    def _look_at(self, name: str, value: Any) -> Any:
        column = self.columns[name]
        if isinstance(column, Image):
            spec = self._model.specs[name]
            assert isinstance(spec, ImageSpec)
            return inputs.picture(value, self.limits, spec, column)
        if isinstance(column, Text) or (isinstance(column, Category) and isinstance(value, str)):
            return inputs.text(value, self.limits)
        return canonical(column, value, self._most)

    def _bound(self, looked: Sequence[Mapping[str, Any]]) -> None:
        """See that the rows are not too large together."""
        for name, column in self.columns.items():
            spec = self._model.specs.get(name)
            if isinstance(spec, ImageSpec):
                pixels = sum(row[name].pixels for row in looked)
                self._total(pixels, self.limits.total_pixels, "pixels in all pictures, as sent or as resized")
                seen = len(looked) * spec.height * spec.width
                self._total(seen, self.limits.total_pixels, "pixels for the network to see")
            elif isinstance(column, (Text, Category)):
                letters = sum(len(row[name]) for row in looked)
                self._total(letters, self.limits.total_letters, "letters in all texts")

    def _prepared(self, row: Mapping[str, Any], odd: OddValues, folder: Path | None) -> dict[str, Any]:
        files: list[Path] = []

        def read(name: str, value: Any) -> Any:
            found = inputs.as_file(value, folder) if isinstance(value, Picture) else value
            files.extend([found] if isinstance(found, Path) else [])
            return found

        try:
            return self._model.prepared(inputs.of_row(row, read, self.columns), self._most, odd)
        finally:
            for file in files:  # those of one row at a time, however many there are
                file.unlink()

    def _total(self, found: int, most: int, what: str) -> None:
        if found > most:
            raise InvalidInput(f"{found:,} {what}; at most {most:,} are read at once: send fewer rows")


@contextmanager
def _folder(rows: Sequence[Mapping[str, Any]]) -> Iterator[Path | None]:
    """Where files are put that were sent; None where there are none."""
    if not any(isinstance(value, Picture) and value.is_file for row in rows for value in row.values()):
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _numbers(answer: dict[str, Any]) -> None:
    if not _is_finite(answer):
        raise InvalidInput("the network gives no number for it")


def _is_finite(value: Any) -> bool:
    """Are all numbers in it finite? What is none, such as the name of a class, says nothing."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
