"""Batches that bring what the frozen prefix gives instead of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tlx.columns.batch import Batch
from tlx.data.examples import Examples
from tlx.data.order import Item
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.features import Features


class Replayed:
    """Batches of ``(epoch, position)`` items with the kept tensors of each.

    ``views``: how many augmentations of each example are kept, one after the other; ``columns``: inputs that the rest
    of the network reads too, such as a text for its mask, where they are cheap to have. Should an entry turn out to be
    damaged, ``damaged`` is told, and the batches that are left come the usual way, by ``usual``.
    """

    def __init__(
        self,
        examples: Examples,
        features: Sequence[Features],
        batches: Sequence[Sequence[Item]],
        views: int,
        columns: Sequence[str],
        usual: Callable[[Sequence[Sequence[Item]]], Iterable[Batch]],
        damaged: Callable[[CorruptEntryError], None],
    ) -> None:
        self.examples = examples
        self.features = features
        self.batches = batches
        self.views = views
        self.columns = columns
        self.usual = usual
        self.damaged = damaged

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for number, items in enumerate(self.batches):
            positions = np.fromiter((position for _, position in items), dtype=np.int64, count=len(items))
            rows = positions
            if self.views:
                epochs = np.fromiter((epoch for epoch, _ in items), dtype=np.int64, count=len(items))
                rows = positions + epochs % self.views * len(self.examples)
            try:
                kept = [features.take(rows) for features in self.features]
            except CorruptEntryError as damage:
                self.damaged(damage)
                yield from self.usual(self.batches[number:])
                return
            yield replace(self.examples.light(positions, self.columns), kept=kept)
