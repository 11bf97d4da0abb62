"""One pass over a split that fills the entries of several sites at once; every process of a trial does its share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tlx.columns.batch import Batch
from tlx.data.module import Data
from tlx.data.order import Batches, Item
from tlx.feature_cache.cut import ModuleCall, NotCacheable, OutputSpec
from tlx.feature_cache.entry import Column, Meta, Writer
from tlx.feature_cache.process_group import ProcessGroup
from tlx.feature_cache.replay import record
from tlx.feature_cache.store import Store


class NotProfitable(NotCacheable):
    """Measured, computing again and again is no dearer."""

    def __init__(self) -> None:
        super().__init__("computing it again is no dearer than reading it")


@dataclass(frozen=True)
class Costs:
    """Process seconds per example: to compute what is kept, to write it."""

    compute: float
    write: float


@dataclass(frozen=True)
class WritePass:
    """A pass over the items of a split, ``batch`` at a time, under the ``autocast`` training has."""

    model: nn.Module
    data: Data
    split: str
    items: Sequence[Item]
    batch: int
    device: torch.device
    autocast: Callable[[], AbstractContextManager[Any]]
    together: ProcessGroup

    def share(self) -> tuple[int, int]:
        """First and last of this process's items: whole batches, except at the end."""
        batches, world = -(-len(self.items) // self.batch), self.together.world
        borders = [min(len(self.items), self.batch * -(-batches * rank // world)) for rank in range(world + 1)]
        return borders[self.together.rank], borders[self.together.rank + 1]

    def batches(self, start: int, stop: int) -> Iterator[tuple[Batch, int, list[int] | None]]:
        """Batches all of one size, how many examples of each are wanted, and the tokens of these."""
        wanted = [list(self.items[at : min(at + self.batch, stop)]) for at in range(start, stop, self.batch)]
        padded = [one + [self.items[i % len(self.items)] for i in range(self.batch - len(one))] for one in wanted]
        for one, batch in zip(wanted, self.data.loader(self.split, Batches(padded)), strict=True):
            texts = (value for value in batch.inputs.values() if isinstance(value, dict))
            masks = [value["attention_mask"] for value in texts if "attention_mask" in value]
            lengths = masks[0].sum(1).tolist()[: len(one)] if masks else None
            yield batch.to(self.device), len(one), lengths

    def light(self, batch: Batch) -> Batch:
        """The batch without inputs that are dear to have, such as images."""
        readers = self.data.examples[self.split].readers
        return replace(batch, inputs={name: one for name, one in batch.inputs.items() if readers[name].is_light})


def fill(
    store: Store,
    keys: Mapping[ModuleCall, str],
    leaves: Mapping[ModuleCall, tuple[OutputSpec, ...]],
    over: WritePass,
    facts: Mapping[str, Any],
    choose: Callable[[Costs], Collection[ModuleCall]],
) -> None:
    """Fill the entries of ``keys``, whose locks the caller holds; ``choose`` says which, once the costs are known.

    Raises :class:`NotProfitable`, or ``OSError`` where the disk refuses. Whatever ends it early, nothing is left that
    could be found.
    """
    first = over.together.rank == 0
    made = over.together.attempt(lambda: {site: store.aside(key) for site, key in keys.items() if first})
    folders = over.together.share(made)
    part = _Part(leaves, over, folders)
    try:
        over.together.attempt(part.begin)
        worth = over.together.attempt(lambda: set(choose(part.costs)) & set(keys) if first else set[ModuleCall]())
        chosen = over.together.share(worth)
        if not chosen:
            raise NotProfitable
        part.keep(chosen)
        over.together.attempt(part.rest)
        parts = over.together.gather(part.closed)

        def publish() -> None:
            for site in chosen if first else ():
                _publish(
                    store, keys[site], folders[site], site, part, [one[site] for one in parts if site in one], facts
                )

        over.together.attempt(publish)  # nobody looks before everything is there
    finally:
        part.abort()
        if first:
            for folder in folders.values():
                store.drop(folder)


class _Part:
    """This process's share of a pass."""

    def __init__(
        self, leaves: Mapping[ModuleCall, tuple[OutputSpec, ...]], over: WritePass, folders: Mapping[ModuleCall, Path]
    ) -> None:
        self.leaves = leaves
        self.over = over
        self.folders = folders
        self.start, self.stop = over.share()
        self.batches = over.batches(self.start, self.stop)
        self.writers: dict[ModuleCall, Writer] = {}
        self.closed: dict[ModuleCall, dict[str, Any]] = {}
        self.costs = Costs(0.0, 0.0)

    def begin(self) -> None:
        """The first batch, which says what the others will cost."""
        if self.start < self.stop:
            self.costs = self._batch()

    def keep(self, chosen: Collection[ModuleCall]) -> None:
        """Go on with these sites alone."""
        self.folders = {site: folder for site, folder in self.folders.items() if site in chosen}
        for site in self.writers.keys() - set(chosen):
            self.writers.pop(site).abort()

    def rest(self) -> None:
        """All further batches."""
        for _ in range(self.start + self.over.batch, self.stop, self.over.batch):
            self._batch()
        self.closed = {site: writer.close() for site, writer in self.writers.items()}

    def abort(self) -> None:
        """Let go of all files."""
        for writer in self.writers.values():
            writer.abort()

    def _batch(self) -> Costs:
        began = time.process_time()
        batch, count, lengths = next(self.batches)
        with self.over.autocast():
            kept = record(self.over.model, batch.inputs, self.folders)
        middle = time.process_time()
        for site, folder in self.folders.items():
            if site not in self.writers:
                leaves = self.leaves[site]
                columns = [Column.of(leaf, tensor) for leaf, tensor in zip(leaves, kept[site], strict=True)]
                self.writers[site] = Writer(folder, self.start, columns)
            self.writers[site].append(kept[site], count, lengths)
        return Costs((middle - began) / count, (time.process_time() - middle) / count)


def _publish(
    store: Store,
    key: str,
    folder: Path,
    site: ModuleCall,
    part: _Part,
    parts: list[dict[str, Any]],
    facts: Mapping[str, Any],
) -> None:
    size = sum(file.stat().st_size for file in folder.glob("*.npy"))
    meta = Meta(
        facts={**facts, "site": str(site)},
        columns=tuple(part.writers[site].columns),
        parts=parts,
        rows=sum(one["stop"] - one["start"] for one in parts),
        bytes=size,
        seconds=part.costs.compute,
    )
    store.publish(key, folder, meta)
