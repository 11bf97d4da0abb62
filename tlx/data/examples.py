"""One split as a torch data set: batches of what a network reads, by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tlx.columns import Reader, Reading
from tlx.columns.batch import Batch
from tlx.columns.formats.pixels import TooLarge
from tlx.columns.images import allow_resized
from tlx.columns.input_spec import ImageSpec, InputSpec
from tlx.columns.reading import DEFAULT, META, OpenImages
from tlx.columns.value_reader import InMemory
from tlx.config.augmentation import Step
from tlx.config.dataset_parts import Limits
from tlx.data.order import PLAIN, Indices, Item
from tlx.data.source import Source


class Examples(Dataset[Batch]):
    """Batches by (epoch, position) items; random only through (seed, epoch, index).

    An epoch of :data:`~tlx.data.order.PLAIN` asks for examples without augmentation. With ``views`` the augmentations
    of that many epochs come again and again.
    """

    def __init__(
        self,
        source: Source,
        indices: Indices,
        specs: Mapping[str, InputSpec],
        *,
        augmentation: str = "none",
        seed: int = 0,
        views: int = 0,
        limits: Limits = DEFAULT,
        memory: int = 0,
        steps: tuple[Step, ...] = (),
        images: OpenImages | None = None,
    ) -> None:
        """Bind a split.

        Args:
            source: Of the examples.
            indices: Which of them.
            specs: What the backbone expects of the columns that it reads.
            augmentation: What is random in training.
            seed: Of it.
            views: With a number, the augmentations of that many epochs come again and again.
            limits: The most that is read of one value.
            memory: Bytes to keep images in.
            steps: Of the augmentation, where it has several.
            images: Opens those that trials share.
        """
        self.indices = indices
        self.specs = specs
        self.readers: dict[str, Reader] = {}
        self.targets: dict[str, Tensor] = {}
        self.meta: dict[str, Any] = {}
        for column in source.columns:
            reading = Reading(specs.get(column.name), augmentation, seed, views, limits, memory, steps, images)
            values = source.rows[column.name]
            if column.role == "input":
                self.readers[column.name] = column.reader(values, indices, reading)
                continue
            chosen = values[indices] if isinstance(values, np.ndarray) else [values[i] for i in indices]
            if column.role == "target":
                self.targets[column.name] = column.collate(chosen, reading)
            elif column.role in META:
                self.meta[column.name] = chosen if _is_word(chosen) else column.collate(chosen, reading)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, items: list[Item]) -> Batch:
        """A batch; torch's loader fetches through this."""
        positions = torch.tensor([at for _, at in items])  # once for all columns of a wide table
        inputs = {
            name: one.at(positions) if isinstance(one, InMemory) else one.take(items)
            for name, one in self.readers.items()
        }
        return self.batch(positions.numpy(), inputs)

    def __getitem__(self, item: Item) -> Batch:
        return self.__getitems__([item])

    def light(self, positions: Sequence[int] | Indices, columns: Sequence[str]) -> Batch:
        """A batch with those of some input columns alone that are cheap to have."""
        items = [(PLAIN, int(at)) for at in positions] if columns else []
        inputs = {name: self.readers[name].take(items) for name in columns if self.readers[name].is_light}
        return self.batch(positions, inputs)

    def batch(self, positions: Sequence[int] | Indices, inputs: dict[str, Any]) -> Batch:
        """A batch of these examples, with inputs that somebody has read."""
        chosen = np.asarray(positions, dtype=np.int64)
        index = torch.from_numpy(chosen)
        return Batch(
            torch.from_numpy(self.indices[chosen]),
            inputs,
            {name: one.index_select(0, index) for name, one in self.targets.items()},
            {name: _chosen(one, chosen) for name, one in self.meta.items()},
        )

    @property
    def is_ready(self) -> bool:
        """Is there nothing left to do but to look values up? (Asking prepares what can be, once for all.)"""
        return all(reader.is_ready for reader in self.readers.values())


def _is_word(values: Any) -> bool:
    return not isinstance(values, np.ndarray) or values.dtype.kind not in "buif"


def _chosen(values: Any, positions: Indices) -> Any:
    return values[torch.from_numpy(positions)] if isinstance(values, Tensor) else [values[i] for i in positions]


def too_large(source: Source, specs: Mapping[str, InputSpec], limits: Limits) -> dict[int, str]:
    """Sound images that the backbone's size makes too large: which those are, only the backbone says."""
    found: dict[int, str] = {}
    for column, spec in specs.items():
        if not isinstance(spec, ImageSpec):
            continue
        for i, one in source.seen.get(column, {}).items():
            try:
                allow_resized(one.height, one.width, spec, limits)
            except TooLarge as error:
                found[i] = str(error)
    return found
