"""Data sets of the Hugging Face hub, through ``datasets``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlx.backbones.hub import reachable
from tlx.columns import Column, Image, Label, Text
from tlx.columns.schema import Schema
from tlx.config.dataset import Hub
from tlx.config.errors import ConfigIssue, DataError, suggest
from tlx.data.fingerprint import of_text
from tlx.data.source import Source


def fingerprint(config: Hub) -> str:
    """Of the name, the configuration and the revision that are asked for."""
    return of_text(f"hub:{config.name}:{config.config}:{config.revision}:{sorted(config.splits.items())}")


def outline(config: Hub) -> Schema:
    """What is assumed of data that are not fetched for a plan: examples of ten labels, nobody knows how many."""
    return Schema((_input(config, channels=3), Label(config.label, classes=tuple(str(i) for i in range(10)))))


def _input(config: Hub, channels: int = 0) -> Column:
    return Text(config.input) if config.modality == "text" else Image(config.input, channels=channels)


def load(config: Hub) -> Source:
    """The splits named in the configuration; raises :class:`DataError` when they cannot be had or read."""
    import datasets

    if not reachable():
        datasets.config.HF_DATASETS_OFFLINE = True  # its cache answers at once instead of after retries
    parts = {}
    for split, name in config.splits.items():
        try:
            parts[split] = datasets.load_dataset(config.name, config.config, split=name, revision=config.revision)
        except Exception as error:  # datasets raises a dozen kinds here, of its own and of its back ends
            first = (str(error) or type(error).__name__).splitlines()[0]
            message = f"{first}; offline use dataset=imagefolder or dataset=csv with files of yours"
            raise DataError([ConfigIssue("dataset.name", message, config.name)]) from error
    for column in (config.input, config.label):
        columns = parts["train"].column_names
        if column not in columns:
            key = "dataset.input" if column == config.input else "dataset.label"
            hint = suggest(column, columns) or f"; it has {', '.join(columns)}"
            raise DataError([ConfigIssue(key, f"no such column{hint}", column)])
    return from_parts(config, parts)


def from_parts(config: Hub, parts: dict[str, Any]) -> Source:
    """A source from loaded splits; images stay encoded until they are asked for."""
    feature = parts["train"].features[config.label]
    to_name = feature.int2str if hasattr(feature, "int2str") else str
    unlabelled: list[ConfigIssue] = []
    names: list[str] = []
    offsets: list[tuple[int, Any]] = []
    splits = {}
    for split, part in parts.items():
        splits[split] = np.arange(len(names), len(names) + len(part))
        offsets.append((len(names), part))
        for row, value in enumerate(part[config.label]):
            if value is None or (hasattr(feature, "int2str") and value < 0):
                unlabelled.append(ConfigIssue(f"{config.name}[{split}:{row}]", f"no label in {config.label!r}"))
                names.append("")
            else:
                names.append(to_name(value))
    if unlabelled:
        raise DataError(unlabelled)
    given = splits if len(splits) > 1 else {}
    rows = {config.input: _Lazy(offsets, config.input), config.label: names}
    return Source([_input(config), Label(config.label)], rows, given, lambda i: f"{config.name}[{i}]")


class _Lazy(Sequence[Any]):
    """Rows of several parts as one sequence."""

    def __init__(self, parts: list[tuple[int, Any]], column: str) -> None:
        self.parts = parts
        self.column = column

    def __len__(self) -> int:
        start, part = self.parts[-1]
        return start + len(part)

    def __getitem__(self, i: Any) -> Any:
        start, part = next((s, p) for s, p in reversed(self.parts) if s <= i)
        return part[int(i) - start][self.column]
