"""The predictions of a trial, a JSON object per line, written while they are made: a batch at a time is in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tlx.files import durable

Record = dict[str, Any]
_JSON = json.JSONEncoder(ensure_ascii=False)


class Predictions:
    """Takes records in the order of their examples."""

    def __init__(self, write: Callable[[str], object], described: Callable[[int], Record]) -> None:
        """``described`` says of an example where it came from, and what it is called."""
        self._write = write
        self._described = described
        self._last = -1

    def add(self, records: Iterable[Record]) -> None:
        """Write the records of a batch, by their examples' numbers.

        Raises:
            ValueError: One belongs before what is written already.
        """
        for record in sorted(records, key=lambda one: int(one["index"])):
            if record["index"] <= self._last:
                raise ValueError(f"example {record['index']} comes after example {self._last}")
            self._last = record["index"]
            self._write(_JSON.encode({**self._described(self._last), **record}) + "\n")


def gathered(records: list[Record], world: int) -> list[Record]:
    """The records of a batch that ``world`` processes share, each having as many batches."""
    if world == 1:
        return records
    parts: list[list[Record]] = [[]] * world
    torch.distributed.all_gather_object(parts, records)
    return [record for part in parts for record in part]


@contextmanager
def predictions(path: Path | None, described: Callable[[int], Record]) -> Iterator[Predictions]:
    """Write a file of predictions, whole or not at all; with ``None`` (processes beside the first) nowhere."""
    if path is None:
        yield Predictions(lambda line: None, described)
        return
    with durable.replacing(path) as partial, partial.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        yield Predictions(stream.write, described)
