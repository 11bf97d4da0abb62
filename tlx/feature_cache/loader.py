"""Batches that bring what the frozen prefix gives instead of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tlx.data.examples import Examples
from tlx.data.order import Item
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.features import Features

KEPT = "kept"  # in a batch: the kept tensors, site by site
Collate = Callable[[list[dict[str, Any]]], dict[str, Any]]


class Replayed:
    """Batches of ``(epoch, position)`` items with the kept tensors of each.

    ``views``: how many augmentations of each example are kept, one after the other; ``inputs``: does the rest of the
    network read inputs too, such as a text's mask? Should an entry turn out to be damaged, ``damaged`` is told, and
    the batches that are left come the usual way, by ``usual``.
    """

    def __init__(
        self,
        examples: Examples,
        features: Sequence[Features],
        batches: Sequence[Sequence[Item]],
        collate: Collate,
        views: int,
        inputs: bool,
        usual: Callable[[Sequence[Sequence[Item]]], Iterable[dict[str, Any]]],
        damaged: Callable[[CorruptEntryError], None],
    ) -> None:
        self.examples = examples
        self.features = features
        self.batches = batches
        self.collate = collate
        self.views = views
        self.inputs = inputs
        self.usual = usual
        self.damaged = damaged

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
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
            yield {**self._light(positions), KEPT: kept}

    def _light(self, positions: Any) -> dict[str, Any]:
        """Everything of a batch but what only the prefix reads."""
        if self.inputs:
            return self.collate([self.examples.light(int(i)) for i in positions])
        if self.examples.collated is None:
            bare = [self.examples.light(i, inputs=False) for i in range(len(self.examples))]
            self.examples.collated = self.collate(bare)
        whole, chosen = self.examples.collated, torch.from_numpy(positions)
        if all(isinstance(value, Tensor) and len(value) == len(self.examples) for value in whole.values()):
            return {name: value.index_select(0, chosen) for name, value in whole.items()}
        return self.collate([self.examples.light(int(i), inputs=False) for i in positions])
