"""What is kept of a split for a cut: found in the store or filled, opened, and proven to be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlx._compat.tensors import version
from tlx.columns.text_reader import Tokenised
from tlx.config.reuse import Reuse
from tlx.data.module import Data
from tlx.data.order import PLAIN, Item
from tlx.feature_cache import key as address
from tlx.feature_cache.check import check
from tlx.feature_cache.context import CacheContext
from tlx.feature_cache.cut import FrozenPrefix, ModuleCall, OutputSpec
from tlx.feature_cache.entry import CorruptEntryError
from tlx.feature_cache.features import Features
from tlx.feature_cache.policy import Need, free_memory, is_profitable, keeping_is_profitable, reading_is_profitable
from tlx.feature_cache.replay import Replay, record
from tlx.feature_cache.store import CacheFull, Store
from tlx.feature_cache.writer import Costs, NotProfitable, WritePass, fill


@dataclass(frozen=True)
class Split:
    """A split as it is read now: with random augmentations (``views`` of each example) or without."""

    name: str
    views: int = 0


@dataclass
class CachedSplit:
    """Entries open for reading: one per site, and how they came to be."""

    features: list[Features]
    state: str  # found | filled
    difference: float = 0.0  # to what is computed now, as a share of the largest value

    @property
    def bytes(self) -> int:
        """On disk."""
        return sum(one.meta.bytes for one in self.features)

    def close(self) -> None:
        """Let others evict them."""
        for one in self.features:
            one.close()


class CacheManager:
    """Gets the stock for a network and its data."""

    def __init__(self, options: Reuse, store: Store, model: nn.Module, data: Data, title: str) -> None:
        """``title``: what people call the backbone."""
        self.title = title
        self.options = options
        self.store = store
        self.model = model
        self.data = data
        self.around = CacheContext()
        self._hashed: tuple[Any, str] = (None, "")  # how tensors stood, and their hash then
        self._proven: Replay | None = None  # the last that agreed with a full forward pass

    def get(
        self, split: Split, replay: Replay, need: Need, later: Sequence[tuple[FrozenPrefix, Need]] = ()
    ) -> CachedSplit | None:
        """The features of a split; None where nothing would be gained. One pass fills what ``later`` cuts need too.

        Raises :class:`~tlx.feature_cache.cut.NotCacheable` with the reason there can be none, and ``OSError`` where the
        disk refuses.
        """
        keys = self._keys(split, replay.cut)
        together = self.around.together
        for last in (False, True):
            there = together.share(all(self.store.has(key) for key in keys.values()))
            if not there:
                if self.options.when == "auto" and not need.enough:
                    return None
                self._fill(split, replay.cut, need, later)
            try:
                stock = together.attempt(partial(self._open, keys, "found" if there else "filled"))
                self._prove(split, replay, stock)
                return stock
            except CorruptEntryError:
                for key in keys.values() if together.rank == 0 else ():
                    self.store.discard(key)
                together.share(None)
                if last:
                    raise
        raise AssertionError("not reached")

    def features(self, split: Split) -> Tensor:
        """The backbone's features of a split, computed now."""
        over, found = self._pass(split), []
        for batch, count, _ in over.batches(0, len(over.items)):
            with over.autocast():
                found.append(
                    record(self.model, batch.inputs, [ModuleCall("backbone")])[ModuleCall("backbone")][0][:count]
                )
        return torch.cat(found)

    def discard(self, split: Split, cut: FrozenPrefix) -> None:
        """Remove what is kept of a split."""
        for key in self._keys(split, cut).values():
            self.store.discard(key)

    def weights(self, cut: FrozenPrefix) -> str:
        """A hash of the constant part's tensors; made again only when one of them was written to."""
        own = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        stand = (cut.tensors, tuple((own[name].data_ptr(), version(own[name])) for name in sorted(cut.tensors)))
        if self._hashed[0] != stand:
            self._hashed = stand, address.weights(self.model, cut.tensors)
        return self._hashed[1]

    def _keys(self, split: Split, cut: FrozenPrefix) -> dict[ModuleCall, str]:
        facts = {"weights": self.weights(cut), **self._facts(split)}
        return {site: address.key(facts, site) for site in cut.sites}

    def _facts(self, split: Split) -> dict[str, object]:
        config = self.data.config
        listed = f" {config.augment_steps}" if config.augment_steps else ""
        augmentation = f"{config.augment}{listed}, {split.views} views" if split.views else "none"
        return {
            **address.network(self.model),
            **address.inputs(self.data, split.name, augmentation, self.model.reads),  # type: ignore[arg-type]
            **address.machine(self.device, self.around.precision, self.options.batch, self.options.precision),
        }

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def _pass(self, split: Split) -> WritePass:
        count = len(self.data.splits[split.name])
        epochs = range(split.views) if split.views else (PLAIN,)
        items: list[Item] = [(epoch, position) for epoch in epochs for position in range(count)]
        around = self.around
        batch = self.options.batch
        return WritePass(self.model, self.data, split.name, items, batch, self.device, around.autocast, around.together)

    def _open(self, keys: Mapping[ModuleCall, str], state: str) -> CachedSplit:
        stock = CachedSplit([], state)
        try:
            for key in keys.values():
                stock.features.append(Features(self.store, key, self.device))
            size = sum(one.meta.bytes / one.meta.rows for one in stock.features)
            seconds = max(one.meta.seconds for one in stock.features)
            worth = reading_is_profitable(seconds, size, stock.features[0].meta.rows, free_memory())
            if self.options.when == "auto" and not worth:
                raise NotProfitable
        except BaseException:
            stock.close()
            raise
        return stock

    def _prove(self, split: Split, replay: Replay, stock: CachedSplit) -> None:
        """Look at a first batch; not again for what has just been computed here, by a network that was proven."""
        if stock.state == "filled" and replay is self._proven:
            return
        try:
            over = self._pass(split)
            stock.difference = self.around.together.attempt(lambda: check(replay, stock.features, over, self.model))
            self._proven = replay
        except BaseException:
            stock.close()
            raise

    def _fill(self, split: Split, now: FrozenPrefix, need: Need, later: Sequence[tuple[FrozenPrefix, Need]]) -> None:
        """Fill what is missing for ``now``, and by the same pass what ``later`` cuts need and is worth keeping."""
        over, tokens = self._pass(split), self._tokens(split)
        leaves: dict[ModuleCall, tuple[OutputSpec, ...]] = {}
        keys: dict[ModuleCall, str] = {}
        for cut in (now, *(cut for cut, _ in later)):
            leaves |= cut.leaves
            keys = {**self._keys(split, cut), **keys}
        size = {site: sum(leaf.size(tokens) for leaf in leaves[site]) for site in keys}
        whole = sum(size.values()) or 1.0

        def choose(costs: Costs) -> set[ModuleCall]:
            own, memory = sum(size[site] for site in now.sites), free_memory()
            here = Costs(costs.compute, costs.write * own / whole)
            if self.options.when == "auto" and not is_profitable(need, here, own, memory):
                return set()
            chosen = set(now.sites)
            for cut, wanted in later:
                more = sum(size[site] for site in cut.sites)
                compute, write = costs.compute * min(1.0, cut.cost / cut.whole), costs.write * more / whole
                if self.options.when == "always" or keeping_is_profitable(wanted, compute, write, more, memory):
                    chosen |= set(cut.sites)
            for sites in (chosen, set(now.sites)):
                try:
                    self.store.make_room(int(sum(size[site] for site in sites if keys[site] in todo) * len(over.items)))
                    return sites
                except CacheFull:
                    if sites <= set(now.sites):
                        raise
            raise AssertionError("not reached")

        together = self.around.together
        with ExitStack() as stack:
            held = together.attempt(
                lambda: stack.enter_context(self.store.filling(list(keys.values()))) if together.rank == 0 else []
            )
            todo = set(together.share(held))
            if not todo:  # another process was quicker
                return
            names = {"backbone": self.title, "dataset": self.data.config.name}
            fill(
                self.store,
                {s: k for s, k in keys.items() if k in todo},
                leaves,
                over,
                {**names, **self._facts(split)},
                choose,
            )

    def _tokens(self, split: Split) -> float:
        """Tokens of the mean text."""
        readers = self.data.examples[split.name].readers.values()
        tokens = next((one.tokens for one in readers if isinstance(one, Tokenised)), None)
        return float(np.mean([len(ids) for ids in tokens])) if tokens else 1.0
