"""The rows of a table for a trained model: columns by name, one row after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlx.columns import Column, Image, Text
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigError, ConfigIssue, DataError, suggest
from tlx.config.schema import Trial
from tlx.data.sources import rows
from tlx.data.sources.sheet import Cells, RowIterator, Sheet, some
from tlx.prediction.lines import Named
from tlx.prediction.refused import InvalidInput

_LINES = (".jsonl", ".ndjson", ".json")  # each row has the columns that it has


class Table:
    """A table file whose columns are there; its rows are read when they are asked for."""

    def __init__(self, file: Path, trial: Trial, columns: Mapping[str, Column], limits: Limits) -> None:
        """Look at the first row; raises :class:`ConfigError` for a file without the columns of the model.

        Args:
            file: Its suffix says how it is read.
            trial: It says what the columns were called in its own files: they may be called so here, too.
            columns: The inputs of the model.
            limits: The most that is read.
        """
        self.file, self.columns, self.limits = file, columns, limits
        self.notes: list[str] = []
        self._table: str | None = getattr(trial.dataset, "table", None)
        self._names = self._found(trial)
        self._open()
        if missing := self._missing():
            seen = list(self._sheet.columns)
            raise ConfigError(
                [
                    ConfigIssue(str(file), f"has no such column{suggest(name, seen) or f'; it has {some(seen)}'}", name)
                    for name in missing
                ]
            )
        unread = [name for name in self._sheet.columns if name not in self._names.values()]
        if unread:
            self.notes.append(f"{file}: columns that the model does not read: {some(unread, 10)}")

    def _found(self, trial: Trial) -> dict[str, str]:
        """What the file calls the model's columns: as the trial's own file did, or else as the model does."""
        declared = getattr(trial.dataset, "columns", None) or {}
        theirs = {name: getattr(declared.get(name), "column", None) or name for name in self.columns}
        mine = {name: name for name in self.columns}
        if theirs == mine:
            return mine
        absent = []
        for self._names in (mine, theirs):
            self._open()
            absent.append(len(self._absent()))
        if absent[0] < absent[1]:
            return mine
        if not absent[0]:
            taken = ", ".join(f"{name!r} from {of!r}" for name, of in theirs.items() if name != of)
            self.notes.append(
                f"{self.file}: it has columns of both names; read as the trial's dataset.columns: {taken}"
            )
        return theirs

    def _open(self) -> None:
        wanted = dict.fromkeys(self._names.values(), "input")
        self._sheet = Sheet(self.file, wanted, self.limits, self._table if self._is_database else None)
        self._rows: RowIterator = rows.stream(self._sheet, "input")
        self._first: Cells | None = next(self._rows, None)
        if fatal := self._fatal():
            raise ConfigError(fatal)
        if self._first is None and not self._sheet.problems and not self._missing():
            raise ConfigError([ConfigIssue("input", "holds no rows", self.file)])

    @property
    def _is_database(self) -> bool:
        return self.file.suffix.lower() in (".sqlite", ".sqlite3", ".db")

    def _absent(self) -> list[str]:
        seen = self._sheet.columns
        return [name for name in dict.fromkeys(self._names.values()) if seen and name not in seen]

    def _missing(self) -> list[str]:
        missing = self._absent()
        if self.file.suffix.lower() in _LINES and len(missing) < len(set(self._names.values())):
            return []  # another row may have it: each is looked at
        return missing

    def examples(self) -> Iterator[Named]:
        """The rows by the model's columns; one that cannot be read is an :class:`InvalidInput`.

        Raises:
            DataError: The file cannot be read to its end.
        """
        current = self._first
        while True:
            yield from self._broken()
            if current is None:
                break
            line, cells = current
            row = dict(zip(self._sheet.names, cells, strict=True))
            values = {name: self._value(self.columns[name], row[of]) for name, of in self._names.items()}
            yield f"{self.file}:{line}", values
            current = next(self._rows, None)
        if fatal := self._fatal():
            raise DataError(fatal)

    def _broken(self) -> Iterator[Named]:
        """Rows that could not be read, as they are met."""
        problems, self._sheet.problems[:] = list(self._sheet.problems), self._fatal()
        for problem in problems:
            if problem.key.startswith(f"{self.file}:"):
                yield problem.key, InvalidInput(problem.message)

    def _fatal(self) -> list[ConfigIssue]:
        return [one for one in self._sheet.problems if not one.key.startswith(f"{self.file}:")]

    def _value(self, column: Column, cell: Any) -> Any:
        if isinstance(column, Image) and isinstance(cell, str):
            return self.file.parent / cell
        return str(cell) if isinstance(column, Text) and cell is not None else cell
